/** One member that is not as it was. `null` where it was not there, or is no longer. Both are untrusted text. */
export interface Difference {
  /** `description`, `inputSchema.properties.path.type`, `arguments[1].name`; keys that are not plain words stand in brackets as JSON. */
  readonly member: string;
  readonly before: string | null;
  readonly after: string | null;
}

/**
 * Every member in which two JSON values differ, down to the smallest, in a fixed order, nothing cut short; texts as they
 * are, everything else as JSON with sorted keys. Lists of the same length are compared item by item, others as a whole.
 * Empty when only the order of keys differs.
 */
export function differenceOf(before: unknown, after: unknown): readonly Difference[] {
  const found: Difference[] = [];
  compare('', sorted(before), sorted(after), found);
  return found;
}

/** The name of a member within a value: `extend('a', 'b')` is `a.b`, an odd key or the place in a list stands in brackets. */
export function extend(member: string, key: string | number): string {
  if (typeof key === 'number') return `${member}[${key}]`;
  if (!/^[A-Za-z0-9_$-]+$/.test(key)) return `${member}[${JSON.stringify(key)}]`;
  return member === '' ? key : `${member}.${key}`;
}

function compare(member: string, before: unknown, after: unknown, found: Difference[]): void {
  if (isObject(before) && isObject(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    for (const key of [...keys].sort()) compare(extend(member, key), own(before, key), own(after, key), found);
    return;
  }
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length) {
    for (const [index, item] of before.entries()) compare(extend(member, index), item, after[index], found);
    return;
  }
  const plain = [before, after].every((value) => value === undefined || typeof value === 'string');
  const [old, now] = [textOf(before, plain), textOf(after, plain)];
  if (old !== now) found.push({ member, before: old, after: now });
}

/** Texts are shown as they are; as soon as one side is something else both are shown as JSON, so that 1 and "1" differ. */
function textOf(value: unknown, plain: boolean): string | null {
  if (value === undefined) return null;
  return plain ? String(value) : JSON.stringify(value, null, 2);
}

/** The same value with the keys of every object in order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  // No prototype: a key named `__proto__` is a key like any other.
  const copy: Record<string, unknown> = Object.create(null);
  for (const key of Object.keys(value).sort()) copy[key] = sorted(value[key]);
  return copy;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const own = (value: Record<string, unknown>, key: string): unknown =>
  Object.hasOwn(value, key) ? value[key] : undefined;
