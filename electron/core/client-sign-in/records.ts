import { createHash } from 'node:crypto';
import type BetterSqlite3 from 'better-sqlite3';
import { z } from 'zod';
import type { Clock } from '../platform.ts';
import type { Vault } from '../secrets/vault.ts';

/**
 * What the authorization server keeps: registrations, running sign-ins, codes and tokens. Ids are the tokens themselves,
 * so only their SHA-256 is stored; the rest is sealed under the vault's key for its place, so that a row another program
 * writes or moves is no row at all. The columns beside it only find rows; nothing is decided by them.
 */
export const clientSignInSchema = `
  CREATE TABLE client_sign_in (
    kind TEXT NOT NULL CHECK (kind IN (
      'Client', 'Interaction', 'Grant', 'AuthorizationCode', 'AccessToken', 'RefreshToken'
    )),
    id_sha256 TEXT NOT NULL CHECK (length(id_sha256) = 43),
    grant_sha256 TEXT,
    key_id TEXT REFERENCES keys (id) ON DELETE CASCADE,
    sealed BLOB NOT NULL CHECK (length(sealed) >= 28),
    expires_at INTEGER,
    used_at INTEGER NOT NULL,
    PRIMARY KEY (kind, id_sha256)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX client_sign_in_of_grant ON client_sign_in (grant_sha256) WHERE grant_sha256 IS NOT NULL;
  CREATE INDEX client_sign_in_of_key ON client_sign_in (key_id) WHERE key_id IS NOT NULL;
`;

export const RECORD_KINDS = [
  'Client',
  'Interaction',
  'Grant',
  'AuthorizationCode',
  'AccessToken',
  'RefreshToken',
] as const;
export type RecordKind = (typeof RECORD_KINDS)[number];

export type Payload = Readonly<Record<string, unknown>>;

export type RecordRead =
  | { readonly kind: 'found'; readonly payload: Payload }
  | { readonly kind: 'missing' }
  /** There is such a row, and the key that opens it is in a locked keychain. */
  | { readonly kind: 'locked' };

export interface Records {
  find(kind: RecordKind, id: string): RecordRead;
  /** @param expiresAt wall clock, milliseconds; null stays until it is removed */
  put(kind: RecordKind, id: string, payload: Payload, expiresAt: number | null): 'kept' | 'locked';
  remove(kind: RecordKind, id: string): void;
  /** Codes and tokens of one yes. */
  removeOfGrant(grantId: string): void;
  /** All of a sign-in that has ended. */
  removeOfKey(keyId: string): void;
  /** The registration was used now. */
  used(clientId: string): void;
  /**
   * Removes what has expired, and of the registrations that are not signed in those beyond `most`: the ones first that were
   * not used for longest.
   */
  clean(most: number): void;
  count(kind: RecordKind): number;
}

/** The way an id stands in the table. */
export function sha256(id: string): string {
  return createHash('sha256').update(id, 'utf8').digest('base64url');
}

export function createRecords({
  db,
  clock,
  vault,
}: {
  readonly db: BetterSqlite3.Database;
  readonly clock: Clock;
  readonly vault: Pick<Vault, 'sealer'>;
}): Records {
  const sql = {
    find: db
      .prepare<[string, string], Buffer>('SELECT sealed FROM client_sign_in WHERE kind = ? AND id_sha256 = ?')
      .pluck(),
    put: db.prepare(
      `INSERT INTO client_sign_in (kind, id_sha256, grant_sha256, key_id, sealed, expires_at, used_at)
       VALUES (?, ?, ?, (SELECT id FROM keys WHERE id = ?), ?, ?, ?)
       ON CONFLICT (kind, id_sha256) DO UPDATE SET grant_sha256 = excluded.grant_sha256, key_id = excluded.key_id,
         sealed = excluded.sealed, expires_at = excluded.expires_at, used_at = excluded.used_at`,
    ),
    remove: db.prepare('DELETE FROM client_sign_in WHERE kind = ? AND id_sha256 = ?'),
    removeOfGrant: db.prepare("DELETE FROM client_sign_in WHERE grant_sha256 = ? AND kind <> 'Grant'"),
    removeOfKey: db.prepare('DELETE FROM client_sign_in WHERE key_id = ?'),
    used: db.prepare("UPDATE client_sign_in SET used_at = ? WHERE kind = 'Client' AND id_sha256 = ?"),
    removeExpired: db.prepare('DELETE FROM client_sign_in WHERE expires_at <= ?'),
    // One that is signed in stays: its program would not know why it is unknown all at once.
    removeRegistrations: db.prepare(
      `DELETE FROM client_sign_in WHERE kind = 'Client' AND id_sha256 IN (
         SELECT id_sha256 FROM client_sign_in WHERE kind = 'Client' AND id_sha256 NOT IN (
           SELECT substr(registration, 1, 43) FROM keys WHERE registration IS NOT NULL AND revoked_at IS NULL
         )
         ORDER BY used_at DESC LIMIT -1 OFFSET ?
       )`,
    ),
    count: db.prepare<[string], number>('SELECT count(*) FROM client_sign_in WHERE kind = ?').pluck(),
  };

  return {
    find(kind, id) {
      const place = placeOf(kind, id);
      const sealed = sql.find.get(kind, sha256(id));
      if (sealed === undefined) return { kind: 'missing' };
      const sealer = vault.sealer();
      if (sealer === null) return { kind: 'locked' };
      const text = sealer.unseal(place, sealed);
      return text === null ? { kind: 'missing' } : { kind: 'found', payload: JSON.parse(text) as Payload };
    },
    put(kind, id, payload, expiresAt) {
      const sealer = vault.sealer();
      if (sealer === null) return 'locked';
      const { grantId, accountId } = owners.parse(payload);
      const sealed = sealer.seal(placeOf(kind, id), JSON.stringify(payload));
      const grant = grantId === undefined ? null : sha256(grantId);
      sql.put.run(kind, sha256(id), grant, accountId ?? null, sealed, expiresAt, clock.now());
      return 'kept';
    },
    remove: (kind, id) => void sql.remove.run(kind, sha256(id)),
    removeOfGrant: (grantId) => void sql.removeOfGrant.run(sha256(grantId)),
    removeOfKey: (keyId) => void sql.removeOfKey.run(keyId),
    used: (clientId) => void sql.used.run(clock.now(), sha256(clientId)),
    clean(most) {
      sql.removeExpired.run(clock.now());
      sql.removeRegistrations.run(most);
    },
    count: (kind) => sql.count.get(kind) ?? 0,
  };
}

const owners = z.looseObject({ grantId: z.string().optional(), accountId: z.string().optional() });

function placeOf(kind: RecordKind, id: string): string {
  return `client-sign-in/${kind}/${sha256(id)}`;
}
