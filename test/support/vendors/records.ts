import type { Adapter, AdapterPayload } from 'oidc-provider';

/** Everything one authorization server remembers, so that a test can make it forget. */
export interface Records {
  readonly adapter: (model: string) => Adapter;
  put(model: string, id: string, payload: AdapterPayload): void;
  get(model: string, id: string): AdapterPayload | undefined;
  forget(model: string): void;
}

interface Kept {
  readonly payload: AdapterPayload;
  readonly endsAt: number;
}

export function createRecords(): Records {
  const models = new Map<string, Map<string, Kept>>();

  function of(model: string): Map<string, Kept> {
    const known = models.get(model) ?? new Map<string, Kept>();
    models.set(model, known);
    return known;
  }

  function get(model: string, id: string): AdapterPayload | undefined {
    const kept = of(model).get(id);
    return kept === undefined || kept.endsAt < Date.now() ? undefined : kept.payload;
  }

  return {
    get,
    put: (model, id, payload) => void of(model).set(id, { payload, endsAt: Number.POSITIVE_INFINITY }),
    forget: (model) => of(model).clear(),
    adapter: (model) => ({
      async upsert(id, payload, expiresIn) {
        const endsAt = expiresIn === undefined ? Number.POSITIVE_INFINITY : Date.now() + expiresIn * 1000;
        of(model).set(id, { payload, endsAt });
      },
      find: async (id) => get(model, id),
      findByUid: async (uid) => [...of(model).values()].find(({ payload }) => payload.uid === uid)?.payload,
      findByUserCode: async () => undefined,
      async consume(id) {
        const payload = get(model, id);
        if (payload !== undefined) payload.consumed = Math.floor(Date.now() / 1000);
      },
      destroy: async (id) => void of(model).delete(id),
      async revokeByGrantId(grantId) {
        for (const [id, { payload }] of of(model)) if (payload.grantId === grantId) of(model).delete(id);
      },
    }),
  };
}
