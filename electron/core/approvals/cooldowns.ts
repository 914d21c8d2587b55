import type { ApprovalView } from '../../../shared/model.ts';
import type { Clock } from '../platform.ts';

/** Which tool of which client; other clients and other tools are never affected. */
export interface Asker {
  readonly clientId: string;
  readonly upstreamId: string;
  readonly tool: string;
}

/**
 * A person who said no is not asked again at once (security.md F14): the same call is denied by itself for a minute, and
 * after three denials of a tool within five minutes every call of that tool by that client for five minutes.
 * Only answers of a person count, so a denial by cool-down never prolongs one. Forgotten at quit.
 */
export interface Cooldowns {
  /** `again`: one more call in the same answer of the person; it was one no, so it counts once. */
  denied(asker: Asker, canonical: string, approval: ApprovalView, reason: string, again?: boolean): void;
  /** What the call is answered with instead of a card; null when a card may be shown. */
  find(asker: Asker, canonical: string): { readonly approval: ApprovalView; readonly reason: string } | null;
}

const SAME_CALL_MS = 60_000;
const DENIALS = 3;
const WITHIN_MS = 5 * 60_000;
const TOOL_MS = 5 * 60_000;

export function createCooldowns(clock: Clock): Cooldowns {
  const tools = new Map<string, Denials>();

  return {
    denied(asker, canonical, approval, reason, again = false) {
      const now = clock.monotonic();
      forgetOld(tools, now);
      const before = tools.get(keyOf(asker)) ?? { latest: [], until: 0 };
      const latest = [
        ...before.latest.filter(({ at }) => now - at < WITHIN_MS),
        { at: now, canonical, approval, reason, again },
      ];
      const answers = latest.filter((denial) => !denial.again).length;
      tools.set(keyOf(asker), { latest, until: !again && answers >= DENIALS ? now + TOOL_MS : before.until });
    },
    find(asker, canonical) {
      const denials = tools.get(keyOf(asker));
      const last = denials?.latest.at(-1);
      if (!denials || !last) return null;
      const now = clock.monotonic();
      const same = denials.latest.findLast(
        (denial) => denial.canonical === canonical && now - denial.at < SAME_CALL_MS,
      );
      if (same) return { approval: same.approval, reason: same.reason };
      if (now >= denials.until) return null;
      const minutes = Math.ceil((denials.until - now) / 60_000);
      const again = minutes === 1 ? 'a minute' : `${minutes} minutes`;
      const because = last.reason === '' ? '' : ` The last reason given: ${last.reason}`;
      return {
        approval: last.approval,
        reason: `This tool was denied ${DENIALS} times within five minutes; it can be asked for again in ${again}.${because}`,
      };
    },
  };
}

interface Denials {
  readonly latest: readonly {
    readonly at: number;
    readonly canonical: string;
    readonly approval: ApprovalView;
    readonly reason: string;
    readonly again: boolean;
  }[];
  /** Monotonic end of the cool-down of the whole tool. */
  readonly until: number;
}

function keyOf({ clientId, upstreamId, tool }: Asker): string {
  return JSON.stringify([clientId, upstreamId, tool]);
}

function forgetOld(tools: Map<string, Denials>, now: number): void {
  for (const [key, { latest, until }] of tools) {
    const newest = latest.at(-1);
    if (now >= until && (!newest || now - newest.at >= WITHIN_MS)) tools.delete(key);
  }
}
