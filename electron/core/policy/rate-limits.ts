import type { RateLimit, RuleModifiers } from '../../../shared/model.ts';
import type { Clock } from '../platform.ts';
import { spanMs } from './span.ts';

/** Whose call it is, as limits count: by what does not change when somebody is renamed. */
export interface Counted {
  readonly workspaceId: string;
  readonly clientId: string;
  readonly upstreamId: string;
  readonly tool: string;
}

export type Taken =
  /** `giveBack`: the call was not forwarded after all. */
  { readonly kind: 'taken'; giveBack(): void } | Limited;

export interface Limited {
  readonly kind: 'limited';
  readonly rule: string;
  /** The rule's own words for the agent. */
  readonly reason?: string;
  readonly limit: RateLimit;
  readonly retryAfterMs: number;
}

/** How many calls were forwarded of late, by the `rateLimit` of each rule. In memory: a new start counts anew. */
export interface RateLimits {
  /** Whether the call would be within every limit now; counts nothing. */
  look(modifiers: readonly RuleModifiers[] | undefined, call: Counted): Limited | null;
  /** Counts the call against every limit, or against none of them when one is reached. */
  take(modifiers: readonly RuleModifiers[] | undefined, call: Counted): Taken;
}

/** Most clients, upstreams or tools that are counted at once, each by each rule. */
const MOST_WINDOWS = 10_000;

/**
 * Sliding windows over the monotonic clock: within any span of `per` no more than `calls` calls are forwarded. Several
 * limits hold each on its own. What there is no room to count is refused.
 */
export function createRateLimits({ clock }: { readonly clock: Pick<Clock, 'monotonic'> }): RateLimits {
  /** When each call was, oldest first. */
  const windows = new Map<string, number[]>();

  function limitsOf(modifiers: readonly RuleModifiers[] | undefined, call: Counted) {
    return (modifiers ?? []).flatMap(({ rule, reason, rateLimit }) =>
      rateLimit === undefined
        ? []
        : [
            {
              named: { rule, ...(reason === undefined ? {} : { reason }) },
              limit: rateLimit,
              perMs: spanMs(rateLimit.per) ?? 0,
              key: keyOf(rule, rateLimit, call),
            },
          ],
    );
  }

  /** The calls that still count; null when there is no room for another window. */
  function windowOf(key: string, since: number): number[] | null {
    const known = windows.get(key);
    if (known !== undefined) {
      const first = known.findIndex((at) => at > since);
      known.splice(0, first < 0 ? known.length : first);
      return known;
    }
    return windows.size < MOST_WINDOWS ? [] : null;
  }

  /** The limit that makes the call wait longest. */
  function reached(limits: ReturnType<typeof limitsOf>, now: number): Limited | null {
    let longest: Limited | null = null;
    for (const { named, limit, perMs, key } of limits) {
      const window = windowOf(key, now - perMs);
      if (window !== null && window.length < limit.calls) continue;
      // The call that must be out of the window before another may be in it.
      const before = window?.[window.length - limit.calls];
      const retryAfterMs = before === undefined ? perMs : before + perMs - now;
      if (longest === null || retryAfterMs > longest.retryAfterMs)
        longest = { kind: 'limited', ...named, limit, retryAfterMs };
    }
    return longest;
  }

  function dropEmpty(now: number): void {
    if (windows.size < MOST_WINDOWS) return;
    for (const [key, window] of windows) {
      if (now - (window.at(-1) ?? 0) > LONGEST_MS) windows.delete(key);
    }
  }

  return {
    look(modifiers, call) {
      const limits = limitsOf(modifiers, call);
      return limits.length === 0 ? null : reached(limits, clock.monotonic());
    },
    take(modifiers, call) {
      const limits = limitsOf(modifiers, call);
      if (limits.length === 0) return NOTHING_TAKEN;
      const now = clock.monotonic();
      dropEmpty(now);
      const limited = reached(limits, now);
      if (limited !== null) return limited;
      const counted = limits.map(({ key, perMs }) => {
        const window = windowOf(key, now - perMs) ?? [];
        window.push(now);
        windows.set(key, window);
        return window;
      });
      return {
        kind: 'taken',
        giveBack() {
          for (const window of counted) {
            const at = window.lastIndexOf(now);
            if (at >= 0) window.splice(at, 1);
          }
        },
      };
    },
  };
}

const NOTHING_TAKEN: Taken = { kind: 'taken', giveBack() {} };
const LONGEST_MS = 86_400_000;

function keyOf(rule: string, { by }: RateLimit, { workspaceId, clientId, upstreamId, tool }: Counted): string {
  const whose = {
    client: [clientId],
    upstream: [upstreamId],
    tool: [upstreamId, tool],
    all: [],
  }[by];
  return JSON.stringify([workspaceId, rule, by, ...whose]);
}
