import type { ErrorClass } from '../../../shared/errors.ts';
import type { CallEnding } from '../call-tool.ts';
import type { Limited } from '../policy/rate-limits.ts';
import type { UpstreamOutcome } from '../upstreams/request.ts';

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

/** A limit of a rule is reached: nothing was asked and nothing ran. */
export function rateLimited(
  { rule, reason, limit: { calls, per, by }, retryAfterMs }: Limited,
  { name, upstream }: { readonly name: string; readonly upstream: { readonly name: string } },
): Extract<CallEnding, { readonly kind: 'refused' }> {
  const whose = { client: 'of this client', upstream: `of ${upstream.name}`, tool: 'of this tool', all: 'in all' }[by];
  const seconds = Math.max(1, Math.ceil(retryAfterMs / 1000));
  return {
    kind: 'refused',
    errorClass: 'rate_limited',
    message: `${upstream.name} / ${name} was not run: the rule "${rule}" lets ${calls} ${calls === 1 ? 'call' : 'calls'} ${whose} run within ${per}.${reason === undefined ? '' : ` ${reason}`} Call again in ${seconds} s.`,
    rule,
    retryAfterMs,
  };
}

/** By us, and by no rule. */
export function refused(errorClass: ErrorClass, message: string): CallEnding {
  return { kind: 'refused', errorClass, message, rule: null };
}
