import type { Modifiers, Policy, ReplayedCall, ReplayReport, RuleModifiers } from '../../../shared/model.ts';
import type { RecordedCall } from '../audit/scan.ts';
import { compilePolicy, decide, mildestEffect, newBudget } from './decide.ts';
import { type Counted, createRateLimits } from './rate-limits.ts';
import { factsOfRecorded, untoldOf } from './recorded.ts';
import { replayedCall, reportOf } from './replay-report.ts';
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
      return reportOf(
        limited.map(({ call }) => call),
        modifiedOf(limited),
        list,
      );
    },
  };
}

interface Item {
  readonly call: ReplayedCall;
  readonly modifiers: readonly RuleModifiers[];
  readonly counted: Counted;
  /** As recorded: it went to the upstream, so a person or a rule let it. */
  readonly ran: boolean;
}

function replayed(draft: Policy, call: RecordedCall): Item {
  const facts = factsOfRecorded(call);
  const { effect, rule, modifiers = [] } = decide(draft, facts);
  const isOpen =
    mildestEffect(draft, facts) !== effect &&
    compilePolicy(draft).rules.some(
      (one) => one.truth(facts, newBudget()) === 'unknown' && reachesUntold(one.rule, facts),
    );
  return {
    call: replayedCall(call, { outcome: effect, rule }, isOpen ? untoldOf(call).join(' ') || NOT_RECORDED : null),
    modifiers,
    // Names, where a running call has ids: a record keeps no others, and one replay is about one workspace.
    counted: {
      workspaceId: '',
      clientId: call.clientId ?? call.client,
      upstreamId: call.upstream,
      tool: call.tool,
    },
    ran: RAN.includes(call.outcome ?? ''),
  };
}

const NOT_RECORDED = 'The record does not have what the rule asks for.';

/** How a call ended that went to its upstream. */
const RAN: readonly string[] = ['answered', 'failed', 'interrupted'];

/**
 * Rate limits by the times that were recorded, oldest first. A call takes a place when it would have gone to its upstream:
 * allowed by the draft, or asked about and let through in its time, because nobody knows what a person would have said.
 */
function withLimits(items: readonly Item[]): readonly Item[] {
  let now = 0;
  const limits = createRateLimits({ clock: { monotonic: () => now } });
  const limited = (item: Item): Item => {
    const { call, modifiers, counted, ran } = item;
    const { outcome } = call.after;
    if (outcome !== 'allow' && !(outcome === 'require_approval' && ran)) return item;
    // A clock that was set back lets no time pass.
    now = Math.max(now, call.at);
    const taken = limits.take(modifiers, counted);
    if (taken.kind === 'taken') return item;
    return { ...item, call: { ...call, after: { outcome: 'rate_limited', rule: taken.rule } } };
  };
  return items.toReversed().map(limited).toReversed();
}

function modifiedOf(items: readonly Item[]): ReplayReport['modified'] {
  const count = (name: keyof Modifiers) =>
    items.filter(({ modifiers }) => modifiers.some((one) => one[name] !== undefined)).length;
  return {
    redactArgs: count('redactArgs'),
    redactResult: count('redactResult'),
    holdResult: count('holdResult'),
  };
}
