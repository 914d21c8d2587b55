import type { Condition } from '../../../shared/model.ts';
import type { RecordedCall } from '../audit/scan.ts';
import { UNTOLD } from './conditions.ts';
import { factsOfRecorded } from './recorded.ts';

/**
 * What the arguments of all these calls have in common, where that is simple: members with the same value in each, and
 * paths below one folder. Null when there is no such thing, or when the arguments of a call are not fully known.
 */
export function narrowerCondition(calls: readonly RecordedCall[]): Condition | null {
  const values = calls.map((call) => factsOfRecorded(call).arguments);
  const [first] = values;
  if (!values.every(isObject) || !isObject(first)) return null;
  const conditions: Condition[] = [];
  for (const name of Object.keys(first)) {
    if (conditions.length >= MOST_CONDITIONS) break;
    const found = values.map((value) => (Object.hasOwn(value, name) ? value[name] : undefined));
    const field = `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    conditions.push(...conditionsOn(field, found));
  }
  if (conditions.length === 0) return null;
  return conditions.length === 1 ? (conditions[0] ?? null) : { all: conditions };
}

/** More would be the calls themselves, and no rule. */
const MOST_CONDITIONS = 4;
const LONGEST_VALUE = 200;

function conditionsOn(field: string, found: readonly unknown[]): readonly Condition[] {
  const [value] = found;
  if (found.every(isSimple) && found.every((one) => one === value)) return [{ field, op: 'eq', value }];
  if (!found.every((one) => typeof one === 'string')) return [];
  const folder = commonFolder(found);
  // A path that goes up again would leave the folder, whatever it begins with.
  return folder === null
    ? []
    : [{ field, op: 'startsWith', value: folder }, { not: { field, op: 'contains', value: '..' } }];
}

/** `/home/me/docs/`, of at least two steps; null when they share none. */
function commonFolder(paths: readonly string[]): string | null {
  const [first = ''] = paths;
  let end = first.length;
  for (const path of paths) while (!path.startsWith(first.slice(0, end))) end -= 1;
  const folder = first.slice(0, first.lastIndexOf('/', end - 1) + 1);
  const steps = folder.split('/').filter((step) => step !== '');
  return steps.length >= 2 && folder.length <= LONGEST_VALUE && !folder.includes('..') ? folder : null;
}

function isSimple(value: unknown): boolean {
  if (typeof value === 'string') return value.length <= LONGEST_VALUE;
  return typeof value === 'boolean' || (typeof value === 'number' && Number.isSafeInteger(value));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !Object.values(value).includes(UNTOLD);
}
