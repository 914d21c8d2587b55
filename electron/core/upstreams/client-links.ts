import type { Era } from '../../../shared/model.ts';
import type { Clock } from '../platform.ts';
import type { Failure } from './channel.ts';
import { inWords, type UpstreamLimits } from './limits.ts';
import type { Link } from './link.ts';
import { offered } from './offered.ts';

/** How a link of one caller is opened: in the era it speaks, telling the upstream what it can be asked. */
export interface LinkManner {
  readonly era: Era;
  readonly capabilities: Readonly<Record<string, unknown>>;
  readonly sessionKey: string;
}

/**
 * A link of its own for each session of a client, to an HTTP upstream or to one that has a process for each: what one
 * client does there must not show in the session of another. Opened by its first request, closed when it has been idle.
 */
export interface ClientLinks {
  /** Call `done` when the request has ended. */
  use(manner: LinkManner): Promise<{ readonly kind: 'use'; readonly link: Link; done(): void } | Failure>;
  /** The session is no longer good; the next call opens another one. */
  drop(link: Link): void;
  /** Tells the upstream over each open link of this session, and never twice at once over the same one. */
  rootsChanged(sessionKey: string): void;
  endOf(sessionKey: string): void;
  closeAll(): Promise<void>;
}

export function createClientLinks(
  { name, clock, limits }: { readonly name: string; readonly clock: Clock; readonly limits: UpstreamLimits },
  connect: (signal: AbortSignal, onEnded: () => void, manner: LinkManner) => Promise<Link | Failure>,
): ClientLinks {
  const sessions = new Map<string, Session>();
  const abort = new AbortController();
  /** When links ended by themselves, by key: whose process crashes again and again must wait. */
  const ends = new Map<string, readonly number[]>();
  const closings = new Set<Promise<void>>();

  function close(session: Session): void {
    session.cancelIdle();
    if (sessions.get(session.key) === session) sessions.delete(session.key);
    const closing = session.opening.then((opened) => (opened.kind === 'link' ? opened.close() : undefined));
    closings.add(closing);
    void closing.then(() => closings.delete(closing));
  }

  function open(key: string, manner: LinkManner): Session {
    const opening = connect(
      abort.signal,
      () => {
        ends.set(key, [...recentEnds(key), clock.monotonic()]);
        close(session);
      },
      manner,
    );
    const session: Session = { key, manner, opening, users: 0, cancelIdle: () => {}, roots: 'told' };
    sessions.set(key, session);
    return session;
  }

  function recentEnds(key: string): readonly number[] {
    return (ends.get(key) ?? []).filter((at) => at > clock.monotonic() - MINUTE_MS);
  }

  function tellRoots(session: Session): void {
    if (session.roots !== 'told') {
      session.roots = 'changed_again';
      return;
    }
    session.roots = 'telling';
    void session.opening
      .then((opened) => (opened.kind === 'link' ? opened.rootsChanged() : undefined))
      .then(() => {
        const isDue = session.roots === 'changed_again';
        session.roots = 'told';
        if (isDue) tellRoots(session);
      });
  }

  function makeRoom(): void {
    if (sessions.size < MOST_SESSIONS) return;
    // The map keeps the order of use: the first idle one has been idle longest.
    const idle = [...sessions.values()].find((session) => session.users === 0);
    if (idle) close(idle);
  }

  return {
    async use(manner) {
      const key = keyOf(manner);
      const known = sessions.get(key);
      if (!known && recentEnds(key).length >= limits.startsPerMinute) {
        const message = `${name} ended ${limits.startsPerMinute} times within ${inWords(MINUTE_MS)} for this client. Its last lines say why; call again in a minute.`;
        return { kind: 'failure', errorClass: 'upstream_unreachable', message, retry: 'never' };
      }
      if (!known) makeRoom();
      const session = known ?? open(key, manner);
      sessions.delete(key);
      sessions.set(key, session);
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
          if (session.users === 0 && sessions.get(key) === session) {
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
    rootsChanged(sessionKey) {
      for (const session of sessions.values()) if (session.manner.sessionKey === sessionKey) tellRoots(session);
    },
    endOf(sessionKey) {
      for (const key of ends.keys()) if (key.endsWith(` ${sessionKey}`)) ends.delete(key);
      for (const session of [...sessions.values()]) if (session.manner.sessionKey === sessionKey) close(session);
    },
    async closeAll() {
      abort.abort();
      for (const session of [...sessions.values()]) close(session);
      await Promise.all(closings);
    },
  };
}

/** A stateless caller may declare other capabilities in its next request, and a handshake of 2025 says them once. */
function keyOf({ era, sessionKey, capabilities }: LinkManner): string {
  return JSON.stringify([era, sessionKey, era === 'legacy' ? offered(capabilities) : null]);
}

interface Session {
  readonly key: string;
  readonly manner: LinkManner;
  readonly opening: Promise<Link | Failure>;
  users: number;
  cancelIdle: () => void;
  /** A client may change its roots faster than its upstream takes note. */
  roots: 'told' | 'telling' | 'changed_again';
}

const MINUTE_MS = 60_000;
const IDLE_MS = 10 * 60_000;
const MOST_SESSIONS = 64;
