import type { Modifiers, Policy, RateLimit, ReplayedCall, ReplayOutcome, ReplayReport } from '../../../shared/model.ts';
import type { RecordedCall } from '../audit/scan.ts';
import { compilePolicy, decide, MODIFIERS, mildestEffect, newBudget } from './decide.ts';
import { createRateWindow, type RateWindow } from './rate-window.ts';
import { factsOfRecorded, untoldOf } from './recorded.ts';
import { reachesUntold } from './untold.ts';

/**
 * What a draft would have decided of calls that were made: "what would this have done?". Each call is decided as it was
 * recorded; where what the record no longer has (redacted, cut, never written) could change the effect, it cannot tell.
 */
export interface Replay {
  /** Newest first, as `Audit.scanCalls` gives them. */
  take(call: RecordedCall): void;
  taken(): number;
  /** At most `list` of the calls that changed, and of those of which it cannot tell. */
  report(list: number): ReplayReport;
}

export function createReplay(draft: Policy): Replay {
  const items: Item[] = [];

  return {
    take: (call) => void items.push(replayed(draft, call)),
    taken: () => items.length,
    report(list) {
      const limited = withLimits(items);
      const told = limited.filter(({ call }) => call.cannotTell === null);
      const changed = told.filter(({ call }) => call.before.outcome !== call.after.outcome);
      const untold = limited.filter(({ call }) => call.cannotTell !== null);
      return {
        calls: items.length,
        from: items.at(-1)?.call.at ?? null,
        to: items[0]?.call.at ?? null,
        same: told.length - changed.length,
        changed: changed.length,
        cannotTell: untold.length,
        steps: stepsOf(changed),
        modified: modifiedOf(items),
        changes: changed.slice(0, list).map(({ call }) => call),
        untold: untold.slice(0, list).map(({ call }) => call),
      };
    },
  };
}

/** What is kept of a call: the arguments are let go of at once, because ten thousand of them are a lot of memory. */
interface Item {
  readonly call: ReplayedCall;
  readonly modifiers: readonly (keyof Modifiers)[];
  readonly limits: readonly { readonly rule: string; readonly limit: RateLimit; readonly bucket: string }[];
  /** As recorded: it went to the upstream, so a person or a rule let it. */
  readonly ran: boolean;
}

function replayed(draft: Policy, call: RecordedCall): Item {
  const facts = factsOfRecorded(call);
  const decision = decide(draft, facts);
  const { effect, rule } = decision;
  const isOpen =
    mildestEffect(draft, facts) !== effect &&
    compilePolicy(draft).rules.some(
      (one) => one.truth(facts, newBudget()) === 'unknown' && reachesUntold(one.rule, facts),
    );
  const modifiers = decision.modifiers ?? [];
  return {
    call: {
      requestId: call.requestId,
      at: call.at,
      client: call.client,
      upstream: call.upstream,
      tool: call.tool,
      kind: call.kind,
      risk: call.risk,
      argumentsText: call.argumentsText.slice(0, SHOWN),
      before: { outcome: outcomeOf(call), rule: call.rule },
      after: { outcome: effect, rule },
      cannotTell: isOpen ? untoldOf(call).join(' ') || NOT_RECORDED : null,
    },
    modifiers: MODIFIERS.filter((name) => modifiers.some((one) => one[name] !== undefined)),
    limits: modifiers.flatMap(({ rule: of, rateLimit }) =>
      rateLimit === undefined ? [] : [{ rule: of, limit: rateLimit, bucket: bucketOf(rateLimit, call) }],
    ),
    ran: RAN.includes(call.outcome ?? ''),
  };
}

/** Of the arguments, for a person to recognise the call by. Characters. */
const SHOWN = 300;

const NOT_RECORDED = 'The record does not have what the rule asks for.';

/** How a call ended that went to its upstream. */
const RAN: readonly string[] = ['answered', 'failed', 'interrupted'];

/** What the policy then said: a standing approval, or trust, answered in the place of the person. */
export function outcomeOf(call: RecordedCall): ReplayOutcome {
  if (call.errorClass === 'rate_limited') return 'rate_limited';
  return call.standing !== null || call.trust !== null ? 'require_approval' : call.effect;
}

function bucketOf({ by }: RateLimit, { clientId, client, upstream, tool }: RecordedCall): string {
  switch (by) {
    case 'client':
      return clientId ?? client;
    case 'upstream':
      return upstream;
    case 'tool':
      return JSON.stringify([upstream, tool]);
    case 'all':
      return '';
  }
}

/**
 * Rate limits by the times that were recorded, oldest first. A call takes a place when it would have gone to its upstream:
 * allowed by the draft, or asked about and let through in its time, because nobody knows what a person would have said.
 */
function withLimits(items: readonly Item[]): readonly Item[] {
  const windows = new Map<string, RateWindow>();
  const windowOf = ({ rule, limit, bucket }: Item['limits'][number]) => {
    const key = JSON.stringify([rule, bucket]);
    const window = windows.get(key) ?? createRateWindow(limit);
    windows.set(key, window);
    return { rule, window };
  };
  return items.toReversed().map(limited).toReversed();

  function limited(item: Item): Item {
    const { call, limits, ran } = item;
    const { outcome } = call.after;
    const goes = outcome === 'allow' || (outcome === 'require_approval' && ran);
    if (limits.length === 0 || !goes) return item;
    const uses = limits.map(windowOf);
    const full = uses.find(({ window }) => !window.hasRoom(call.at));
    if (full !== undefined) return { ...item, call: { ...call, after: { outcome: 'rate_limited', rule: full.rule } } };
    for (const { window } of uses) window.take(call.at);
    return item;
  }
}

/** `allow -> deny: 12`, the greatest first. */
function stepsOf(changed: readonly Item[]): ReplayReport['steps'] {
  const counts = new Map<string, { before: ReplayOutcome; after: ReplayOutcome; calls: number }>();
  for (const { call } of changed) {
    const key = `${call.before.outcome} ${call.after.outcome}`;
    const count = counts.get(key) ?? { before: call.before.outcome, after: call.after.outcome, calls: 0 };
    count.calls += 1;
    counts.set(key, count);
  }
  return [...counts.values()].toSorted((a, b) => b.calls - a.calls);
}

function modifiedOf(items: readonly Item[]): ReplayReport['modified'] {
  const count = (name: keyof Modifiers) => items.filter(({ modifiers }) => modifiers.includes(name)).length;
  return {
    redactArgs: count('redactArgs'),
    redactResult: count('redactResult'),
    holdResult: count('holdResult'),
  };
}
