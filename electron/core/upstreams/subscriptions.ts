import type { UpstreamOutcome } from './request.ts';

/** Which sessions subscribed to which resources of an upstream as one account: known also while nothing of it runs. */
export interface Subscriptions {
  any(): boolean;
  uris(): ReadonlySet<string>;
  /** The upstream is told of the first session that wants this resource. */
  add(uri: string, sessionKey: string): Promise<UpstreamOutcome>;
  /** As `add`, told as soon as it runs, however often it has to be started until then. */
  restore(uri: string, sessionKey: string): void;
  /** The upstream is told when the last one has left. */
  remove(uri: string, sessionKey: string): Promise<UpstreamOutcome>;
  removeAll(sessionKey: string): void;
  of(uri: string): readonly string[];
  all(): readonly { readonly uri: string; readonly sessionKey: string }[];
}

export function createSubscriptions(parts: {
  isOpen(): boolean;
  /** Tells the upstream of exactly these; starts it for that. */
  watch(uris: ReadonlySet<string>): Promise<UpstreamOutcome>;
  /** One less: what is kept running for them may not be any more. */
  left(): void;
}): Subscriptions {
  const sessions = new Map<string, Set<string>>();
  const uris = () => new Set(sessions.keys());

  async function remove(uri: string, sessionKey: string): Promise<UpstreamOutcome> {
    const subscribers = sessions.get(uri);
    if (subscribers?.delete(sessionKey) !== true || subscribers.size > 0) return NOTHING;
    sessions.delete(uri);
    parts.left();
    return parts.isOpen() ? parts.watch(uris()) : NOTHING;
  }

  return {
    any: () => sessions.size > 0,
    uris,
    async add(uri, sessionKey) {
      const subscribers = sessions.get(uri) ?? new Set();
      const isFirst = subscribers.size === 0;
      sessions.set(uri, subscribers.add(sessionKey));
      const outcome = isFirst ? await parts.watch(uris()) : NOTHING;
      if (outcome.kind !== 'answered') void remove(uri, sessionKey);
      return outcome;
    },
    restore(uri, sessionKey) {
      sessions.set(uri, (sessions.get(uri) ?? new Set()).add(sessionKey));
      if (parts.isOpen()) void parts.watch(uris());
    },
    remove,
    removeAll(sessionKey) {
      for (const uri of uris()) void remove(uri, sessionKey);
    },
    of: (uri) => [...(sessions.get(uri) ?? [])],
    all: () => [...sessions].flatMap(([uri, keys]) => [...keys].map((sessionKey) => ({ uri, sessionKey }))),
  };
}

const NOTHING: UpstreamOutcome = { kind: 'answered', result: {}, resultText: '{}', bytes: 2 };
