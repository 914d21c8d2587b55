import type { Adapter, AdapterPayload } from 'oidc-provider';
import type { Clock } from '../platform.ts';
import { RECORD_KINDS, type RecordKind, type Records } from './records.ts';

/** A refresh token that was used is not a stolen one yet for so long: two windows of one program renew at once. */
export const REUSE_GRACE_MS = 10_000;

/**
 * Where `oidc-provider` keeps its models. Browser sessions are not kept at all: every sign-in asks the person, and no
 * cookie is set.
 *
 * @param grantEnded called with the key of a grant that the library takes back
 */
export function createAdapter(parts: {
  readonly records: Records;
  readonly clock: Clock;
  readonly grantEnded: (keyId: string) => void;
}): (model: string) => Adapter {
  const { records, clock, grantEnded } = parts;
  return (model) => (isKept(model) ? kept(model) : NOT_KEPT);

  function kept(kind: RecordKind): Adapter {
    function read(id: string): AdapterPayload | undefined {
      const found = records.find(kind, id);
      return found.kind === 'found' ? (found.payload as AdapterPayload) : undefined;
    }
    function write(id: string, payload: AdapterPayload, expiresAt: number | null): void {
      if (records.put(kind, id, payload, expiresAt) === 'locked') throw new Error('the vault was closed meanwhile');
    }
    return {
      async upsert(id, payload, expiresIn) {
        // A registration comes without an end; everything else ends in so many seconds.
        write(id, payload, expiresIn === undefined ? null : clock.now() + expiresIn * 1000);
      },
      async find(id) {
        const payload = read(id);
        if (kind !== 'RefreshToken' || payload?.consumed === undefined) return payload;
        const { consumed, ...unused } = payload;
        return clock.now() - Number(consumed) * 1000 < REUSE_GRACE_MS ? unused : payload;
      },
      async consume(id) {
        const payload = read(id);
        if (payload === undefined || payload.consumed !== undefined) return;
        const { exp } = payload;
        write(id, { ...payload, consumed: Math.floor(clock.now() / 1000) }, exp === undefined ? null : exp * 1000);
      },
      async destroy(id) {
        const payload = kind === 'Grant' ? read(id) : undefined;
        records.remove(kind, id);
        if (payload?.accountId !== undefined) grantEnded(payload.accountId);
      },
      async revokeByGrantId(grantId) {
        records.removeOfGrant(grantId);
      },
      findByUid: async () => undefined,
      findByUserCode: async () => undefined,
    };
  }
}

function isKept(model: string): model is RecordKind {
  return (RECORD_KINDS as readonly string[]).includes(model);
}

const NOT_KEPT: Adapter = {
  upsert: async () => undefined,
  find: async () => undefined,
  findByUid: async () => undefined,
  findByUserCode: async () => undefined,
  consume: async () => undefined,
  destroy: async () => undefined,
  revokeByGrantId: async () => undefined,
};
