import { createHash } from 'node:crypto';
import type { Policy, PolicySuggestion, Rule, RuleMatch } from '../../../shared/model.ts';
import type { RecordedCall } from '../audit/scan.ts';
import { decide } from './decide.ts';
import { NONE } from './match.ts';
import { narrowerCondition } from './narrower.ts';
import { factsOfRecorded } from './recorded.ts';
import { parsePolicy } from './schema.ts';

/**
 * Rules that the person's own answers suggest: always the same yes to one tool of one client, or always the same no.
 * Nothing is ever suggested about a destructive tool but to deny it, and nothing of this is done by itself.
 */
export interface Suggesting {
  /** Newest first, as `Audit.scanCalls` gives them. */
  take(call: RecordedCall): void;
  /** The most frequent first. */
  suggestions(policy: Policy): readonly PolicySuggestion[];
}

/** So many times the same answer, and never the other, within the time that is looked at. */
export const YES_AT_LEAST = 10;
export const NO_AT_LEAST = 5;

export function createSuggesting(): Suggesting {
  const groups = new Map<string, Group>();
  return {
    take(call) {
      const { clientId, upstream, connection, kind, tool } = call;
      if (clientId === null) return;
      // What was answered about one account says nothing of another.
      const key = JSON.stringify([clientId, upstream, kind, tool, ...(connection === null ? [] : [connection])]);
      const group = groups.get(key) ?? { key, yes: new Set(), no: new Set(), edited: false, calls: [] };
      groups.set(key, group);
      // A client that asks again and again gets the answer of one card each time: cards are counted, not calls.
      const card = call.approvalId ?? call.requestId;
      if (call.approval === 'approved') group.yes.add(card);
      if (call.approval === 'denied') group.no.add(card);
      if (call.edited) group.edited = true;
      if (group.calls.length < KEPT) group.calls.push(light(call));
    },
    suggestions: (policy) =>
      [...groups.values()]
        .flatMap((group) => suggestionOf(group, policy) ?? [])
        .toSorted((a, b) => b.times - a.times || (a.id < b.id ? -1 : 1)),
  };
}

interface Group {
  readonly key: string;
  readonly yes: Set<string>;
  readonly no: Set<string>;
  edited: boolean;
  /** The latest of them, newest first. */
  readonly calls: RecordedCall[];
}

/** Calls of one group that a rule is tried on, and the longest arguments that are looked at. */
const KEPT = 50;
const LONGEST = 4_096;

function light(call: RecordedCall): RecordedCall {
  return call.argumentsText.length > LONGEST ? { ...call, argumentsText: '', isCut: true } : call;
}

function suggestionOf({ key, yes, no, edited, calls }: Group, policy: Policy): PolicySuggestion | null {
  const [latest] = calls;
  if (latest === undefined) return null;
  const effect = effectOf({ yes: yes.size, no: no.size, edited, calls });
  if (effect === null) return null;
  const { clientId, client, upstream, connection, kind, tool } = latest;
  // A glob has no way to say that a star is a star, nor a connection that it is called none.
  if (clientId === null || connection === NONE) return null;
  if ([client, upstream, connection ?? '', tool].some((name) => /[*?]/.test(name))) return null;
  const match: RuleMatch = {
    upstream: [upstream],
    ...(connection === null ? {} : { connection: [connection] }),
    kind: [kind],
    tool: [tool],
    ...(effect === 'allow' ? { risk: ['read', 'write'] } : {}),
    client: [client],
  };
  const times = effect === 'allow' ? yes.size : no.size;
  const account = connection === null ? '' : ` as ${connection}`;
  const name = nameFor(`${effect} ${tool} of ${upstream}${account} for ${client}`, policy);
  const rule: Rule =
    effect === 'allow'
      ? { name, effect, match }
      : { name, effect, match, reason: `The person denied this ${times} times and never approved it.` };
  const replay = tried(policy, rule, calls);
  // Where another rule is stricter, or the policy has changed since, this one would do nothing.
  if (replay === null || replay.changed === 0) return null;
  const condition =
    effect === 'allow' ? narrowerCondition(calls.filter(({ approval }) => approval === 'approved')) : null;
  const narrow: Rule | null = condition === null ? null : { ...rule, match: { ...match, arguments: condition } };
  return {
    id: createHash('sha256')
      .update(JSON.stringify([effect, key]))
      .digest('hex')
      .slice(0, 16),
    effect,
    clientId,
    client,
    upstream,
    tool,
    kind,
    times,
    since: calls.at(-1)?.at ?? latest.at,
    rule,
    replay,
    narrower: narrow !== null && tried(policy, narrow, calls) !== null ? narrow : null,
  };
}

function effectOf(group: {
  readonly yes: number;
  readonly no: number;
  readonly edited: boolean;
  readonly calls: readonly RecordedCall[];
}): 'allow' | 'deny' | null {
  const { yes, no, edited, calls } = group;
  if (no === 0 && yes >= YES_AT_LEAST && !edited && calls.every(({ risk }) => risk !== 'destructive')) return 'allow';
  return yes === 0 && no >= NO_AT_LEAST ? 'deny' : null;
}

/** What the policy would decide otherwise of these calls with the rule in it; null when it could not be saved so. */
function tried(policy: Policy, rule: Rule, calls: readonly RecordedCall[]): PolicySuggestion['replay'] | null {
  const draft = withRule(policy, rule);
  if (draft === null) return null;
  const facts = calls.map(factsOfRecorded);
  return {
    calls: calls.length,
    changed: facts.filter((call) => decide(policy, call).effect !== decide(draft, call).effect).length,
  };
}

/** The policy with the rule at its end; null when that is none. */
export function withRule(policy: Policy, rule: Rule): Policy | null {
  const parsed = parsePolicy({ ...policy, rules: [...policy.rules, rule] });
  return parsed.kind === 'parsed' ? parsed.policy : null;
}

/** Names are unique in a policy, and not endless. */
function nameFor(wanted: string, { rules }: Policy): string {
  const base = wanted.slice(0, MOST_NAME);
  const isTaken = (name: string) => rules.some((rule) => rule.name === name);
  for (let n = 2, name = base; ; n += 1) {
    if (!isTaken(name)) return name;
    name = `${base} ${n}`;
  }
}

const MOST_NAME = 70;
