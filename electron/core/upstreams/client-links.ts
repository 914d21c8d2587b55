import type { Clock } from '../platform.ts';
import type { Failure } from './channel.ts';
import type { Link } from './link.ts';

/**
 * A session of its own at an HTTP upstream for each client that calls it: what one client does there must not show in the
 * session of another. Opened by a client's first call, closed when it has been idle.
 */
export interface ClientLinks {
  /** Call `done` when the call has ended. */
  use(clientId: string): Promise<{ readonly kind: 'use'; readonly link: Link; done(): void } | Failure>;
  /** The session is no longer good; the next call opens another one. */
  drop(link: Link): void;
  closeAll(): Promise<void>;
}

export function createClientLinks(
  clock: Clock,
  connect: (signal: AbortSignal, onEnded: () => void) => Promise<Link | Failure>,
): ClientLinks {
  const sessions = new Map<string, Session>();
  const abort = new AbortController();
  const closings = new Set<Promise<void>>();

  function close(session: Session): void {
    session.cancelIdle();
    if (sessions.get(session.clientId) === session) sessions.delete(session.clientId);
    const closing = session.opening.then((opened) => (opened.kind === 'link' ? opened.close() : undefined));
    closings.add(closing);
    void closing.then(() => closings.delete(closing));
  }

  function open(clientId: string): Session {
    const opening = connect(abort.signal, () => close(session));
    const session: Session = { clientId, opening, users: 0, cancelIdle: () => {} };
    sessions.set(clientId, session);
    return session;
  }

  function makeRoom(): void {
    if (sessions.size < MOST_SESSIONS) return;
    // The map keeps the order of use: the first idle one has been idle longest.
    const idle = [...sessions.values()].find((session) => session.users === 0);
    if (idle) close(idle);
  }

  return {
    async use(clientId) {
      const known = sessions.get(clientId);
      if (!known) makeRoom();
      const session = known ?? open(clientId);
      sessions.delete(clientId);
      sessions.set(clientId, session);
      session.cancelIdle();
      session.users += 1;
      const opened = await session.opening;
      if (opened.kind === 'failure') {
        close(session);
        return opened;
      }
      return {
        kind: 'use',
        link: opened,
        done() {
          session.users -= 1;
          if (session.users === 0 && sessions.get(clientId) === session) {
            session.cancelIdle = clock.after(IDLE_MS, () => close(session));
          }
        },
      };
    },
    drop(link) {
      for (const session of sessions.values()) {
        void session.opening.then((opened) => opened === link && close(session));
      }
    },
    async closeAll() {
      abort.abort();
      for (const session of [...sessions.values()]) close(session);
      await Promise.all(closings);
    },
  };
}

interface Session {
  readonly clientId: string;
  readonly opening: Promise<Link | Failure>;
  users: number;
  cancelIdle: () => void;
}

const IDLE_MS = 10 * 60_000;
const MOST_SESSIONS = 64;
