/** One member that differs. Texts are the value as JSON, or the string itself; null: the member is not there. */
export interface Change {
  /** `inputSchema.properties.path.description` */
  readonly path: string;
  readonly before: string | null;
  readonly after: string | null;
  /** Equal characters at both ends; what lies between them changed. */
  readonly sameStart: number;
  readonly sameEnd: number;
}

/** The smallest members that differ between two JSON values, in the order they are met. */
export function differences(before: unknown, after: unknown, path = ''): readonly Change[] {
  if (isObject(before) && isObject(after)) {
    const names = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...names].flatMap((name) => differences(before[name], after[name], path === '' ? name : `${path}.${name}`));
  }
  const [old, now] = [textOf(before), textOf(after)];
  // A text and a list that print alike still differ in kind.
  if (old === now && typeof before === typeof after) return [];
  return [{ path: path || 'the whole', before: old, after: now, ...sameEnds(old ?? '', now ?? '') }];
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string | null {
  if (value === undefined) return null;
  return typeof value === 'string' ? value : JSON.stringify(value, null, 2);
}

function sameEnds(old: string, now: string): { readonly sameStart: number; readonly sameEnd: number } {
  const shorter = Math.min(old.length, now.length);
  let sameStart = 0;
  while (sameStart < shorter && old[sameStart] === now[sameStart]) sameStart++;
  let sameEnd = 0;
  while (sameEnd < shorter - sameStart && old.at(-1 - sameEnd) === now.at(-1 - sameEnd)) sameEnd++;
  return { sameStart, sameEnd };
}
