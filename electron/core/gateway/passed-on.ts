import { withoutMembers } from '../exact-members.ts';
import { PARAMS_PATH } from './arrival.ts';

type Slices = ReadonlyMap<string, string>;

/** The whole `params` of the caller without what belongs to this hop. Exact text of an object. */
export function paramsPassedOn(slices: Slices): string {
  return withoutMembers(slices.get(PARAMS_PATH) ?? '{}', (name) => OF_THE_HOP.has(name));
}

const OF_THE_HOP = new Set(['_meta', 'inputResponses', 'requestState']);
