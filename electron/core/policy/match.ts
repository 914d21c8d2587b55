import type { MemberExplanation, RuleMatch, TimeWindow } from '../../../shared/model.ts';
import { type Budget, compileCondition, conditionLeaves, type Truth } from './conditions.ts';
import type { CallFacts } from './facts.ts';
import { compileGlob } from './glob.ts';
import { compileTimeWindow } from './time-window.ts';

/** One member of a rule's match as every call then asks it. Never throws. */
export interface MemberTest {
  readonly member: keyof RuleMatch;
  test(call: CallFacts, budget: Budget): Truth;
  /** The same answer with what was wanted and what was there: one line, or one for each comparison of a condition. */
  explain(call: CallFacts, budget: Budget): readonly MemberExplanation[];
}

/** The members of a match, the cheap ones first; the arguments cost most and come last. */
export function compileMatch(match: RuleMatch): readonly MemberTest[] {
  const tests: readonly (Plain | null)[] = [
    oneOf('kind', match.kind, (call) => call.kind),
    oneOf('risk', match.risk, (call) => call.risk),
    oneOf('state', match.state, (call) => call.state),
    shared('tag', match.tag, (call) => call.upstreamTags),
    shared('clientTag', match.clientTag, (call) => call.clientTags),
    globs('upstream', match.upstream, (call) => [call.upstream]),
    globs('tool', match.tool, (call) => [call.tool]),
    globs('client', match.client, (call) => [call.client]),
    globs('workspace', match.workspace, (call) => [call.workspace]),
    globs('key', match.key, (call) => [call.keyId, call.keyPrefix]),
    globsOrNone('session', match.session, (call) => call.session),
    globsOrNone('connection', match.connection, (call) => call.connection),
    beginnings('fingerprint', match.fingerprint, (call) => call.fingerprint),
    windows(match.time),
    onArguments(match.arguments),
  ];
  return tests.filter((test) => test !== null).map(unlessUntold);
}

/** What a call without a session, or without an account, is matched by. */
export const NONE = 'none';

interface Plain {
  readonly member: keyof RuleMatch;
  test(call: CallFacts, budget: Budget): Truth;
  /** Where one line would not say enough. */
  explain?(call: CallFacts, budget: Budget): readonly MemberExplanation[];
  readonly wanted: string;
  actual(call: CallFacts): string;
}

/** A member that cannot be told of this call answers so, whatever it asks for. */
function unlessUntold({ member, test, explain, wanted, actual }: Plain): MemberTest {
  const isUntold = (call: CallFacts) => call.untold?.includes(member) === true;
  const told = (call: CallFacts, budget: Budget) => [
    { member, matched: test(call, budget), wanted, actual: actual(call) },
  ];
  return {
    member,
    test: (call, budget) => (isUntold(call) ? 'unknown' : test(call, budget)),
    explain: (call, budget) =>
      isUntold(call)
        ? [{ member, matched: 'unknown', wanted, actual: 'not known' }]
        : (explain?.(call, budget) ?? told(call, budget)),
  };
}

function oneOf<T extends string>(
  member: keyof RuleMatch,
  wanted: readonly T[] | undefined,
  actual: (call: CallFacts) => T,
): Plain | null {
  if (wanted === undefined) return null;
  return { member, test: (call) => wanted.includes(actual(call)), wanted: wanted.join(' or '), actual };
}

/** At least one of the tags. */
function shared(
  member: keyof RuleMatch,
  wanted: readonly string[] | undefined,
  actual: (call: CallFacts) => readonly string[],
): Plain | null {
  if (wanted === undefined) return null;
  return {
    member,
    test: (call) => wanted.some((tag) => actual(call).includes(tag)),
    wanted: wanted.join(' or '),
    actual: (call) => actual(call).join(', ') || NONE,
  };
}

function globs(
  member: keyof RuleMatch,
  wanted: readonly string[] | undefined,
  actual: (call: CallFacts) => readonly string[],
): Plain | null {
  if (wanted === undefined) return null;
  const tests = wanted.map(compileGlob);
  return {
    member,
    test: (call) => actual(call).some((name) => tests.some((test) => test(name))),
    wanted: wanted.join(' or '),
    actual: (call) => actual(call).join(', '),
  };
}

/** `none` is met by what is not there, every other glob by what is. */
function globsOrNone(
  member: keyof RuleMatch,
  wanted: readonly string[] | undefined,
  actual: (call: CallFacts) => string | null,
): Plain | null {
  if (wanted === undefined) return null;
  const named = wanted.filter((glob) => glob !== NONE).map(compileGlob);
  const meetsNone = wanted.includes(NONE);
  return {
    member,
    test(call) {
      const name = actual(call);
      return name === null ? meetsNone : named.some((test) => test(name));
    },
    wanted: wanted.join(' or '),
    actual: (call) => actual(call) ?? NONE,
  };
}

function beginnings(
  member: keyof RuleMatch,
  wanted: readonly string[] | undefined,
  actual: (call: CallFacts) => string,
): Plain | null {
  if (wanted === undefined) return null;
  return {
    member,
    test: (call) => wanted.some((start) => actual(call).startsWith(start)),
    wanted: wanted.join(' or '),
    actual,
  };
}

function windows(wanted: readonly TimeWindow[] | undefined): Plain | null {
  if (wanted === undefined) return null;
  const tests = wanted.map(compileTimeWindow);
  return {
    member: 'time',
    test({ at }) {
      if (tests.some((test) => test?.(at) === true)) return true;
      // A zone that this machine does not know: whether it is that time there cannot be told.
      return tests.includes(null) ? 'unknown' : false;
    },
    wanted: wanted.map(sayWindow).join(' or '),
    actual: ({ at }) => new Date(at).toISOString(),
  };
}

function sayWindow({ days, from = '00:00', to = '24:00', zone = 'local' }: TimeWindow): string {
  return `${days === undefined ? 'every day' : days.join(', ')} ${from}-${to} ${zone}`;
}

function onArguments(condition: RuleMatch['arguments']): Plain | null {
  if (condition === undefined) return null;
  const test = compileCondition(condition);
  return {
    member: 'arguments',
    test: (call, budget) => test(call.arguments, budget),
    explain: (call, budget) =>
      conditionLeaves(condition, call.arguments, budget).map(({ field, ...leaf }) => ({
        member: `arguments${field}`,
        ...leaf,
      })),
    wanted: 'a condition on the arguments',
    actual: () => 'not known',
  };
}
