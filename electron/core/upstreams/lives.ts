import type { Failure } from './channel.ts';
import type { Credentials, CredentialsFor } from './credentials.ts';
import type { Supervisor } from './supervisor.ts';

/** One account at an upstream with what runs as it. */
export interface Life {
  readonly credentials: Credentials;
  readonly supervisor: Supervisor;
}

/**
 * What runs of one upstream, by account: a process or a connection of its own for each, so that one account's failure or
 * crash is not the other's. The default account's lists the tools; another one starts with its first call.
 */
export interface Lives {
  /** The default account's, or the one of nobody. */
  main(): Life;
  /** Null: the default one's. */
  of(connectionId: string | null): Life;
  others(): readonly Life[];
  all(): readonly Life[];
  /** Why nothing goes out as this account until the person does something; null: it may work. */
  missing(connectionId: string | null): Failure | null;
  /**
   * Ends what runs as this account (null: as none), and makes the default account's the main one, which is not started. What
   * was subscribed to as an account that there still is goes on.
   */
  replaced(connectionId: string | null): Promise<void>;
}

export function createLives(
  upstreamId: string,
  credentialsFor: CredentialsFor,
  create: (life: { readonly credentials: Credentials; isMain(): boolean }) => Supervisor,
  /** Whether what a session subscribed to goes over to another default account. */
  goesOver: (sessionKey: string) => boolean,
): Lives {
  const lives = new Map<string | null, Life>();
  let mainKey: string | null | undefined;

  const defaultKey = () => credentialsFor(upstreamId, null).connectionId;

  function get(key: string | null): Life {
    const known = lives.get(key);
    if (known !== undefined) return known;
    const credentials = credentialsFor(upstreamId, key);
    const supervisor = create({ credentials, isMain: () => key === mainKey });
    const life = { credentials, supervisor };
    lives.set(key, life);
    return life;
  }

  /** Not before it is wanted: accounts are known later than upstreams. */
  function main(): Life {
    if (mainKey === undefined) mainKey = defaultKey();
    return get(mainKey);
  }

  return {
    main,
    of(connectionId) {
      const first = main();
      return connectionId === null || connectionId === first.credentials.connectionId ? first : get(connectionId);
    },
    others: () => [...lives.values()].filter((life) => life !== main()),
    all() {
      main();
      return [...lives.values()];
    },
    missing(connectionId) {
      const known = connectionId === null ? main() : lives.get(connectionId);
      return (known?.credentials ?? credentialsFor(upstreamId, connectionId)).missing();
    },
    async replaced(connectionId) {
      const before = main();
      const gone = connectionId === null ? undefined : lives.get(connectionId);
      mainKey = defaultKey();
      const ends = new Set<Life>();
      if (gone !== undefined) ends.add(gone);
      // Nobody is no account that could be used beside others.
      if (before.credentials.connectionId === null && mainKey !== null) ends.add(before);
      const isOver = (life: Life) => life.credentials.connectionId === null || life.credentials.missing() !== null;
      for (const life of ends)
        if (life !== lives.get(mainKey) && isOver(life)) lives.delete(life.credentials.connectionId);
      const after = main();
      if (after !== before) before.supervisor.handOver(after.supervisor, goesOver);
      const running = [...ends].filter((life) => life.supervisor.state().status !== 'stopped');
      await Promise.all([...ends].map((life) => life.supervisor.stop()));
      for (const life of running)
        if (life !== after && lives.get(life.credentials.connectionId) === life) void life.supervisor.start();
    },
  };
}
