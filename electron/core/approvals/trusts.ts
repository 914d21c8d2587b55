import { randomBytes } from 'node:crypto';
import type { TrustMinutes, TrustView } from '../../../shared/model.ts';
import type { Clock } from '../platform.ts';
import type { Approvers } from './approvers.ts';

/** Why trust ended. */
export type TrustEnd = 'time' | 'person' | 'replaced' | 'screen_locked' | 'key_ended' | 'quit';

/**
 * "Allow everything from this client for 15 minutes": satisfies `require_approval` for whatever the client calls, never a
 * deny and never a destructive tool. In memory alone, so that it ends with Gatehouse.
 */
export interface Trusts {
  /** Trust in the client that was there before is replaced. */
  start(client: { readonly id: string; readonly name: string }, minutes: TrustMinutes, by: string): TrustView;
  /** The trust that holds for the client, counted as a use of it. */
  use(clientId: string): string | null;
  list(): readonly TrustView[];
  /** False when it has ended already. */
  end(id: string): boolean;
  endForClient(clientId: string): void;
  onChange(listener: () => void): () => void;
  /** Told of every end, for the audit. */
  onEnd(listener: (trust: TrustView, because: TrustEnd) => void): () => void;
  close(): void;
}

interface Trust {
  readonly id: string;
  readonly clientId: string;
  readonly client: string;
  readonly by: string;
  readonly minutes: TrustMinutes;
  readonly startedAt: number;
  /** Wall clock and monotonic: whichever comes first, so that neither sleep nor a clock set back prolongs it (H9). */
  readonly expiresAt: number;
  readonly deadline: number;
  used: number;
}

export function createTrusts({ clock, approvers }: { readonly clock: Clock; readonly approvers: Approvers }): Trusts {
  const trusts = new Map<string, Trust>();
  const listeners = new Set<() => void>();
  let stopTelling = () => {};
  const endListeners = new Set<(trust: TrustView, because: TrustEnd) => void>();

  const isOver = ({ deadline, expiresAt }: Trust) => clock.monotonic() >= deadline || clock.now() >= expiresAt;

  function endAll(which: (trust: Trust) => boolean, because: TrustEnd): boolean {
    const ending = [...trusts.values()].filter(which);
    for (const { id } of ending) trusts.delete(id);
    if (trusts.size === 0) stopTelling();
    for (const trust of ending) for (const listener of endListeners) listener(viewOf(trust), because);
    if (ending.length > 0) for (const listener of listeners) listener();
    return ending.length > 0;
  }

  /** A timer stands still while the machine sleeps, so every look at what there is looks at the clocks too. */
  const endDue = () => endAll(isOver, 'time');

  /** Every minute, for what shows the time left without a clock of its own (a tray menu), and at each end. */
  function tellAgainSoon(): void {
    stopTelling();
    const left = [...trusts.values()].map(({ deadline }) => deadline - clock.monotonic());
    stopTelling = clock.after(Math.min(60_000, ...left), () => {
      if (!endDue()) for (const listener of listeners) listener();
      if (trusts.size > 0) tellAgainSoon();
    });
  }

  /** What is left is told by the nearer end, so that a clock set back shows no more time than there is. */
  function viewOf({ id, clientId, client, by, minutes, startedAt, expiresAt, deadline, used }: Trust): TrustView {
    const left = Math.max(0, Math.min(expiresAt - clock.now(), deadline - clock.monotonic()));
    return { id, clientId, client, by, minutes, startedAt, expiresAt: clock.now() + left, usedCount: used };
  }

  let desktopWasThere = approvers.present('desktop');
  approvers.onChange(() => {
    const there = approvers.present('desktop');
    // SECURITY: the screen was locked, and trust in the moment does not outlive the person's presence (security.md H10).
    if (desktopWasThere && !there) endAll(() => true, 'screen_locked');
    desktopWasThere = there;
  });

  return {
    start(client, minutes, by) {
      endDue();
      endAll(({ clientId }) => clientId === client.id, 'replaced');
      const span = minutes * 60_000;
      const trust: Trust = {
        id: randomBytes(16).toString('base64url'),
        clientId: client.id,
        client: client.name,
        by,
        minutes,
        startedAt: clock.now(),
        expiresAt: clock.now() + span,
        deadline: clock.monotonic() + span,
        used: 0,
      };
      trusts.set(trust.id, trust);
      tellAgainSoon();
      for (const listener of listeners) listener();
      return viewOf(trust);
    },
    use(clientId) {
      endDue();
      const trust = [...trusts.values()].find((one) => one.clientId === clientId);
      if (trust === undefined) return null;
      trust.used += 1;
      return trust.id;
    },
    list() {
      endDue();
      return [...trusts.values()].map(viewOf);
    },
    end(id) {
      endDue();
      return endAll((trust) => trust.id === id, 'person');
    },
    endForClient: (clientId) => void endAll((trust) => trust.clientId === clientId, 'key_ended'),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onEnd(listener) {
      endListeners.add(listener);
      return () => endListeners.delete(listener);
    },
    close: () => void endAll(() => true, 'quit'),
  };
}
