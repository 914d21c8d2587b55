import type { CallEnding } from '../call-tool.ts';
import type { UpstreamOutcome } from '../upstreams/upstreams.ts';

/** What the outcome of the upstream of that name is to the caller. A question of it is none: `rounds.ts` has answered it. */
export function endingOf(outcome: UpstreamOutcome, upstream: string): CallEnding {
  switch (outcome.kind) {
    case 'answered':
      return outcome;
    case 'error':
      return {
        kind: 'relayed',
        code: outcome.code,
        message: outcome.message,
        ...(outcome.data === undefined ? {} : { data: outcome.data }),
        ...(outcome.text === undefined ? {} : { text: outcome.text }),
      };
    case 'failed':
      return { kind: 'failed', errorClass: outcome.errorClass, message: outcome.message, upstream };
    case 'input_required':
      return { kind: 'input_required', result: outcome.result };
    case 'cancelled':
      return { kind: 'cancelled' };
  }
}
