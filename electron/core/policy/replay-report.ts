import type { ReplayedCall, ReplayOutcome, ReplayReport } from '../../../shared/model.ts';
import type { RecordedCall } from '../audit/scan.ts';

/** What is kept of a recorded call: its arguments are let go of, because ten thousand of them are a lot of memory. */
export function replayedCall(
  call: RecordedCall,
  after: ReplayedCall['after'],
  cannotTell: string | null,
): ReplayedCall {
  return {
    requestId: call.requestId,
    at: call.at,
    client: call.client,
    upstream: call.upstream,
    tool: call.tool,
    kind: call.kind,
    risk: call.risk,
    argumentsText: call.argumentsText.slice(0, SHOWN),
    before: { outcome: outcomeOf(call), rule: call.rule },
    after,
    cannotTell,
  };
}

/** Of the arguments, for a person to recognise the call by. Characters. */
const SHOWN = 300;

/** What the policy then said: a standing approval, or trust, answered in the place of the person. */
export function outcomeOf(call: RecordedCall): ReplayOutcome {
  if (call.errorClass === 'rate_limited') return 'rate_limited';
  return call.standing !== null || call.trust !== null ? 'require_approval' : call.effect;
}

/** @param calls newest first; @param list how many of the changed, and of the untold, are named one by one. */
export function reportOf(
  calls: readonly ReplayedCall[],
  modified: ReplayReport['modified'],
  list: number,
): ReplayReport {
  const told = calls.filter(({ cannotTell }) => cannotTell === null);
  const changed = told.filter(({ before, after }) => before.outcome !== after.outcome);
  const untold = calls.filter(({ cannotTell }) => cannotTell !== null);
  return {
    calls: calls.length,
    from: calls.at(-1)?.at ?? null,
    to: calls[0]?.at ?? null,
    same: told.length - changed.length,
    changed: changed.length,
    cannotTell: untold.length,
    steps: stepsOf(changed),
    modified,
    changes: changed.slice(0, list),
    untold: untold.slice(0, list),
  };
}

/** Where nothing of that is known, or nothing was done. */
export const NOTHING_MODIFIED: ReplayReport['modified'] = { redactArgs: 0, redactResult: 0, holdResult: 0 };

/** `allow -> deny: 12`, the most frequent first. */
function stepsOf(changed: readonly ReplayedCall[]): ReplayReport['steps'] {
  const groups = Map.groupBy(changed, ({ before, after }) => `${before.outcome} ${after.outcome}`);
  return [...groups.values()]
    .flatMap(([first, ...rest]) =>
      first === undefined ? [] : [{ before: first.before.outcome, after: first.after.outcome, calls: rest.length + 1 }],
    )
    .toSorted((a, b) => b.calls - a.calls);
}
