import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type BetterSqlite3 from 'better-sqlite3';
import type { Key, Role } from '../../../shared/model.ts';
import type { Clock } from '../platform.ts';
import type { SealedTable } from '../seals/sealed-table.ts';

/** `prefix` is the public half of the key, `hash` SHA-256 over salt and the whole key. The key itself is nowhere. */
export const keysSchema = `
  CREATE TABLE keys (
    id TEXT PRIMARY KEY,
    client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    role TEXT NOT NULL CHECK (role IN ('executor', 'reader', 'admin')),
    prefix TEXT NOT NULL UNIQUE,
    salt BLOB NOT NULL CHECK (length(salt) = 16),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    last_used_at INTEGER
  ) STRICT;
  CREATE INDEX keys_of_client ON keys (client_id);
`;

/**
 * A key that nobody holds: a program signed in by itself. `registration` is what signed in and for which address; its
 * access tokens lead to this row, so that it is seen, used and revoked like every other.
 */
export const keysSignedInSchema = `
  ALTER TABLE keys ADD COLUMN registration TEXT;
  CREATE INDEX keys_of_registration ON keys (registration) WHERE registration IS NOT NULL;
`;

export const sealedKeys: SealedTable = {
  table: 'keys',
  id: '{row}.id',
  members: {
    client: '{row}.client_id',
    role: '{row}.role',
    prefix: '{row}.prefix',
    salt: 'hex({row}.salt)',
    hash: 'hex({row}.hash)',
    expiresAt: '{row}.expires_at',
    revokedAt: '{row}.revoked_at',
    registration: '{row}.registration',
  },
  mend: {
    setBack: `
      UPDATE keys SET client_id = @row ->> 'client', role = @row ->> 'role', prefix = @row ->> 'prefix',
        salt = unhex(@row ->> 'salt'), hash = unhex(@row ->> 'hash'), expires_at = @row ->> 'expiresAt',
        revoked_at = @row ->> 'revokedAt', registration = @row ->> 'registration'
      WHERE id = @id`,
    withdraw: 'UPDATE keys SET revoked_at = ifnull(revoked_at, @at) WHERE id = @id',
  },
};

export type BearerRead =
  | { readonly kind: 'key'; readonly prefix: string; readonly secret: string }
  /** A well-formed bearer token that no Gatehouse key can be. `prefix` is set when it begins like one. */
  | { readonly kind: 'foreign'; readonly prefix: string | null }
  | { readonly kind: 'missing' }
  | { readonly kind: 'malformed' };

/**
 * Reads a raw Authorization header: the scheme in any case (RFC 9110 section 11.1), one space, one token of RFC 6750
 * section 2.1, nothing else. Two headers joined by a comma are malformed. Total: no header makes it throw.
 */
export function parseBearer(header: string | undefined): BearerRead {
  if (header === undefined) return { kind: 'missing' };
  if (header.length > LONGEST_HEADER) return { kind: 'malformed' };
  const token = bearerToken(header);
  if (token === null) return { kind: 'malformed' };
  const prefix = /^gh_[a-z2-7]{8}(?=_)/.exec(token)?.[0] ?? null;
  return prefix !== null && KEY.test(token) ? { kind: 'key', prefix, secret: token } : { kind: 'foreign', prefix };
}

/** The token of a well-formed Authorization header, whoever it is from. */
export function bearerToken(header: string): string | null {
  return /^bearer ([A-Za-z0-9._~+/-]+=*)$/i.exec(header)?.[1] ?? null;
}

/** The shown part of what a person typed: an id or a prefix stays as it is, a whole key loses its secret half. */
export function shownPart(key: string): string {
  return /^gh_[a-z2-7]{8}(?=_)/.exec(key)?.[0] ?? key;
}

export interface MintedKey {
  /** Shown once: `gh_<8 characters>_<43 characters>`, 256 random bits in the last part. */
  readonly secret: string;
  /** `gh_ab12cd34`: to recognise a key, and to find its row. */
  readonly prefix: string;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

/** @param kind `gs` stands for a program that signed in by itself: no bearer token begins like that. */
export function mintKey(kind: 'gh' | 'gs' = 'gh'): MintedKey {
  const prefix = `${kind}_${Array.from(randomBytes(8), (byte) => BASE32[byte & 31]).join('')}`;
  const secret = `${prefix}_${randomBytes(32).toString('base64url')}`;
  const salt = randomBytes(16);
  return { secret, prefix, salt, hash: hashKey(salt, secret) };
}

export interface KeyRow {
  readonly id: string;
  readonly client_id: string;
  readonly role: Role;
  readonly prefix: string;
  readonly salt: Buffer;
  readonly hash: Buffer;
  readonly created_at: number;
  readonly expires_at: number | null;
  readonly revoked_at: number | null;
  readonly last_used_at: number | null;
  readonly registration: string | null;
}

/** A fast hash is enough: a key has 256 random bits, so there is nothing to guess. Both sides are 32 bytes long. */
export function keyFits(row: Pick<KeyRow, 'salt' | 'hash'>, secret: string): boolean {
  return timingSafeEqual(hashKey(row.salt, secret), row.hash);
}

export function keyOf(row: KeyRow): Key {
  return {
    id: row.id,
    clientId: row.client_id,
    role: row.role,
    prefix: row.prefix,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
    lastUsedAt: row.last_used_at,
    signedIn: row.registration !== null,
  };
}

export type Keys = ReturnType<typeof createKeys>;

/** The rows of `keys`. Who may have one and who is told of its end is decided in `clients.ts`. */
export function createKeys({ db, clock }: { readonly db: BetterSqlite3.Database; readonly clock: Clock }) {
  const sql = {
    add: db.prepare<[string, string, Role, string, Buffer, Buffer, number, number | null, string | null]>(
      `INSERT INTO keys (id, client_id, role, prefix, salt, hash, created_at, expires_at, registration)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    find: db.prepare<[string, string], KeyRow>('SELECT * FROM keys WHERE id = ? OR prefix = ?'),
    all: db.prepare<[], KeyRow>('SELECT * FROM keys ORDER BY created_at, rowid'),
    ofClient: db.prepare<[string], KeyRow>('SELECT * FROM keys WHERE client_id = ? ORDER BY created_at, rowid'),
    live: db
      .prepare<[string, number], number>(
        'SELECT 1 FROM keys WHERE id = ? AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)',
      )
      .pluck(),
    revoke: db.prepare('UPDATE keys SET revoked_at = ? WHERE id = ?'),
    extend: db.prepare('UPDATE keys SET expires_at = ? WHERE id = ?'),
    ofRegistration: db.prepare<[string, number], KeyRow>(
      'SELECT * FROM keys WHERE registration = ? AND revoked_at IS NULL AND expires_at > ? ORDER BY created_at DESC',
    ),
    use: db.prepare('UPDATE keys SET last_used_at = ? WHERE id = ?'),
  };
  /** When a use of a key was last written, or tried to be. */
  const written = new Map<string, number>();

  function insert(
    clientId: string,
    role: Role,
    { prefix, salt, hash }: MintedKey,
    expiresAt: number | null,
    registration: string | null,
  ): Key {
    const id = randomBytes(16).toString('hex');
    sql.add.run(id, clientId, role, prefix, salt, hash, clock.now(), expiresAt, registration);
    return keyOf(sql.find.get(id, id)!);
  }

  return {
    add(clientId: string, role: Role, expiresAt: number | null): { readonly secret: string; readonly key: Key } {
      const minted = mintKey();
      return { secret: minted.secret, key: insert(clientId, role, minted, expiresAt, null) };
    },
    /** Its secret half is thrown away here: the access tokens of the sign-in are what is presented. */
    addSignedIn: (clientId: string, expiresAt: number, registration: string): Key =>
      insert(clientId, 'executor', mintKey('gs'), expiresAt, registration),
    /** The live ones of a program that signed in by itself, latest first. */
    ofRegistration: (registration: string) => sql.ofRegistration.all(registration, clock.now()).map(keyOf),
    extend: (keyId: string, expiresAt: number) => void sql.extend.run(expiresAt, keyId),
    /** By id, by shown prefix, or by a whole key, of which only the prefix is used. */
    find(key: string): Key | null {
      const row = sql.find.get(key, shownPart(key));
      return row ? keyOf(row) : null;
    },
    all: () => sql.all.all().map(keyOf),
    ofClient: (clientId: string) => sql.ofClient.all(clientId).map(keyOf),
    isLive: (keyId: string) => sql.live.get(keyId, clock.now()) === 1,
    revoke(keyId: string): void {
      sql.revoke.run(clock.now(), keyId);
      written.delete(keyId);
    },
    /** At most one write a minute and key: this is the way of every request. */
    used(key: Key): void {
      const now = clock.now();
      const last = written.get(key.id) ?? key.lastUsedAt;
      if (last !== null && now >= last && now - last < USE_EVERY_MS) return;
      written.set(key.id, now);
      try {
        sql.use.run(now, key.id);
      } catch (error) {
        // A full or busy disk must not turn a valid key away for the sake of a date; the next minute tries again.
        if (!(error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_'))) throw error;
      }
    },
  };
}

const LONGEST_HEADER = 512;
const KEY = /^gh_[a-z2-7]{8}_[A-Za-z0-9_-]{43}$/;
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
const USE_EVERY_MS = 60_000;

function hashKey(salt: Buffer, secret: string): Buffer {
  return createHash('sha256').update(salt).update(secret, 'utf8').digest();
}
