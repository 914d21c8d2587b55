import type { Definition } from '../../../shared/model.ts';
import { canonical, MAX_DEPTH } from './fingerprint.ts';

/** One member that is not as it was. `null` where it was not there, or is no longer. Both are untrusted text. */
export interface Difference {
  /** `description`, `inputSchema.properties.path.type`; keys that are not plain words stand in brackets as JSON. */
  readonly member: string;
  readonly before: string | null;
  readonly after: string | null;
}

/**
 * Every member in which two definitions differ, down to the smallest, in a fixed order, nothing cut short. Empty when
 * only the order of keys differs, and when only the upstream's command or address has changed.
 */
export function differenceOf(reviewed: Definition, offered: Definition): readonly Difference[] {
  const found: Difference[] = [];
  compare('', reviewed, offered, MAX_DEPTH, found);
  return found;
}

function compare(member: string, before: unknown, after: unknown, depth: number, found: Difference[]): void {
  if (canonical(before, depth) === canonical(after, depth)) return;
  if (isObject(before) && isObject(after) && depth > 0) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    for (const key of [...keys].sort()) {
      compare(extend(member, key), own(before, key), own(after, key), depth - 1, found);
    }
    return;
  }
  const plain = [before, after].every((value) => value === undefined || typeof value === 'string');
  found.push({ member, before: textOf(before, plain), after: textOf(after, plain) });
}

/** Texts are shown as they are; as soon as one side is something else both are shown as JSON, so that 1 and "1" differ. */
function textOf(value: unknown, plain: boolean): string | null {
  if (value === undefined) return null;
  return plain ? String(value) : canonical(value, MAX_DEPTH);
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const own = (value: Record<string, unknown>, key: string): unknown =>
  Object.hasOwn(value, key) ? value[key] : undefined;

function extend(member: string, key: string): string {
  if (!/^[A-Za-z0-9_$-]+$/.test(key)) return `${member}[${JSON.stringify(key)}]`;
  return member === '' ? key : `${member}.${key}`;
}
