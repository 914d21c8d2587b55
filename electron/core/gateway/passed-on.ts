import { withoutMembers } from '../exact-members.ts';
import { PARAMS_PATH } from './arrival.ts';

type Slices = ReadonlyMap<string, string>;

/**
 * What goes on of `params` of a completion: all but what belongs to this hop, and what could pass for another of its
 * members. Exact text of an object.
 */
export function completionPassedOn(slices: Slices): string {
  const isTaken = (name: string) =>
    !OF_A_COMPLETION.has(name) && (KNOWN.has(folded(name)) || folded(name) === 'context');
  return withoutMembers(slices.get(PARAMS_PATH) ?? '{}', isTaken);
}

/**
 * The members of `params` that the protocol does not name. Exact text of an object. What could pass for a member that says
 * which tool runs, or with what, is not among them: Go's JSON decoder reads `Name` as `name`, and the last one wins.
 */
export function unknownMembers(slices: Slices): string {
  return withoutMembers(slices.get(PARAMS_PATH) ?? '{}', (name) => KNOWN.has(folded(name)));
}

/** Upper and lower case, compatibility forms, separators and invisible characters make no other name. */
function folded(name: string): string {
  return name
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '');
}

const OF_A_COMPLETION = new Set(['ref', 'argument', 'context']);
const KNOWN = new Set([
  ...['meta', 'inputresponses', 'requeststate', 'progresstoken'],
  ...['name', 'tool', 'toolname', 'prompt', 'promptname', 'uri', 'ref'],
  ...['argument', 'arguments', 'arg', 'args', 'input', 'inputs', 'params', 'parameters'],
  // Tasks are not relayed: a call that asked for one would never be answered.
  'task',
  'proto',
]);
