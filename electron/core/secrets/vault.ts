import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type BetterSqlite3 from 'better-sqlite3';
import type { Clock, Keychain } from '../platform.ts';
import { createMasterKeySource, type MasterKeySource } from './master-key.ts';

export type SecretRead =
  | { readonly kind: 'found'; readonly value: string }
  | { readonly kind: 'missing' }
  /** Locked or absent keychain, or a value that does not decrypt: one sentence with what to do. */
  | { readonly kind: 'unavailable'; readonly reason: string };

export type SecretWrite = { readonly kind: 'written' } | { readonly kind: 'unavailable'; readonly reason: string };

export type VaultState =
  | { readonly kind: 'ready'; readonly by: 'keychain' | 'file' }
  | { readonly kind: 'locked' | 'absent' | 'lost'; readonly reason: string };

/**
 * Everything secret: AES-256-GCM under one random master key (keychain, or GATEHOUSE_MASTER_KEY_FILE), in `state.db`,
 * with its place as associated data, so that a sealed value copied to another place does not open.
 */
export interface Vault {
  /** Tries again when it was locked. */
  state(): Promise<VaultState>;
  /** `place` is a path such as `upstream/<id>/env/GITHUB_TOKEN`. */
  put(place: string, value: string): Promise<SecretWrite>;
  get(place: string): Promise<SecretRead>;
  remove(place: string): void;
  /** Whole path segments: `upstream/1` takes `upstream/1/env/A` along and leaves `upstream/10/env/A`. `''` takes all. */
  removeAll(prefix: string): void;
  has(place: string): boolean;
  /** Where something is sealed, sorted; also while it cannot be opened. */
  places(): readonly string[];
  /** While the key is lost, and only then: forgets what it sealed and goes on with another key. */
  beginAnew(): Promise<VaultState>;
  /** It was opened, or its key turned out to be locked away, absent or lost. */
  onChange(listener: (kind: VaultState['kind']) => void): () => void;
  /** Seals what is kept elsewhere, at once and under the same key; null while the vault is not open. */
  sealer(): Sealer | null;
}

/** A sealed value is its 12-byte nonce, the ciphertext and the 16-byte tag; it opens at its own place alone. */
export interface Sealer {
  seal(place: string, value: string): Buffer;
  /** Null when it was not sealed under this key for this place. */
  unseal(place: string, sealed: Buffer): string | null;
}

export interface VaultParts {
  readonly db: BetterSqlite3.Database;
  readonly keychain: Keychain;
  readonly clock: Clock;
  /** `GATEHOUSE_MASTER_KEY_FILE`; takes the place of the keychain. */
  readonly masterKeyFile: string | null;
}

/**
 * `secrets_check` holds one known value sealed under the master key, so that another key is noticed before anything is
 * sealed under it. `sealed` is the ciphertext with its 16-byte tag behind it.
 */
export const secretsSchema = `
  CREATE TABLE secrets (
    place TEXT PRIMARY KEY,
    nonce BLOB NOT NULL CHECK (length(nonce) = 12),
    sealed BLOB NOT NULL CHECK (length(sealed) >= 16),
    created_at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE secrets_check (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    source TEXT NOT NULL CHECK (source IN ('keychain', 'file')),
    nonce BLOB NOT NULL CHECK (length(nonce) = 12),
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL
  ) STRICT;
`;

/** Locked, absent and lost are tried again when asked; a key that was once opened stays open until the process ends. */
export function createVault(parts: VaultParts): Vault {
  const { db, clock } = parts;
  const source = createMasterKeySource(parts);
  const sql = {
    put: db.prepare(
      `INSERT INTO secrets (place, nonce, sealed, created_at) VALUES (?, ?, ?, ?)
       ON CONFLICT (place) DO UPDATE SET nonce = excluded.nonce, sealed = excluded.sealed, created_at = excluded.created_at`,
    ),
    get: db.prepare<[string], Sealed>('SELECT nonce, sealed FROM secrets WHERE place = ?'),
    has: db.prepare<[string], number>('SELECT 1 FROM secrets WHERE place = ?').pluck(),
    places: db.prepare<[], string>('SELECT place FROM secrets ORDER BY place').pluck(),
    any: db.prepare<[], number>('SELECT EXISTS (SELECT 1 FROM secrets)').pluck(),
    remove: db.prepare('DELETE FROM secrets WHERE place = ?'),
    removeUnder: db.prepare('DELETE FROM secrets WHERE substr(place, 1, length(@start)) = @start'),
    check: db.prepare<[], Check>('SELECT source, nonce, sealed FROM secrets_check'),
    forgetCheck: db.prepare('DELETE FROM secrets_check'),
    setCheck: db.prepare(
      'INSERT OR REPLACE INTO secrets_check (id, source, nonce, sealed, created_at) VALUES (1, ?, ?, ?, ?)',
    ),
  };

  let opened: Opened | null = null;
  let opening: Promise<Opened | Closed> | null = null;
  const listeners = new Set<(kind: VaultState['kind']) => void>();
  let refused: { readonly closed: Closed; readonly at: number } | null = null;

  /** One attempt at a time, whoever asks. */
  async function open(): Promise<Opened | Closed> {
    if (opened) return opened;
    // Each question to a locked keychain can make the desktop ask for the password, and a failing upstream asks often.
    if (refused?.closed.kind === 'locked' && clock.monotonic() - refused.at < PATIENCE_MS) return refused.closed;
    opening ??= attempt().finally(() => {
      opening = null;
    });
    return opening;
  }

  async function attempt(): Promise<Opened | Closed> {
    const answer = await source.read();
    // A keychain answers when it likes, and Gatehouse may have closed meanwhile.
    if (!db.open) return CLOSING;
    const found = answer.kind === 'missing' && !isSealed() ? await source.create() : answer;
    if (!db.open) return CLOSING;
    const result = found.kind === 'found' ? accept(found.key) : closedBecause(found);
    const before = refused?.closed.kind ?? (opened === null ? null : 'ready');
    opened = result.kind === 'ready' ? result : null;
    refused = result.kind === 'ready' ? null : { closed: result, at: clock.monotonic() };
    if (before !== result.kind) for (const listener of listeners) listener(result.kind);
    return result;
  }

  function accept(key: Buffer): Opened | Closed {
    const check = sql.check.get();
    if (check && unseal(key, CHECK_PLACE, check) === CHECK_VALUE) return { kind: 'ready', by: source.by, key };
    if (isSealed()) return { kind: 'lost', reason: lostReason(source, check?.source ?? source.by) };
    const { nonce, sealed } = seal(key, CHECK_PLACE, CHECK_VALUE);
    sql.setCheck.run(source.by, nonce, sealed, clock.now());
    return { kind: 'ready', by: source.by, key };
  }

  function closedBecause(answer: Exclude<Awaited<ReturnType<MasterKeySource['read']>>, { kind: 'found' }>): Closed {
    if (answer.kind !== 'missing') return answer;
    return { kind: 'lost', reason: lostReason(source, sql.check.get()?.source ?? source.by) };
  }

  const isSealed = () => sql.any.get() === 1;

  async function state(): Promise<VaultState> {
    const vault = await open();
    return vault.kind === 'ready' ? { kind: 'ready', by: vault.by } : vault;
  }

  return {
    state,
    places: () => sql.places.all(),
    async beginAnew() {
      const before = await state();
      if (before.kind !== 'lost') return before;
      // First the entry that is no key, which may be locked away; what it sealed is forgotten only when a key can follow.
      const discarded = await source.discardUnreadable();
      if (discarded !== null) return discarded;
      db.transaction(() => {
        sql.removeUnder.run({ start: '' });
        sql.forgetCheck.run();
      })();
      return state();
    },
    async put(place, value) {
      const vault = await open();
      if (vault.kind !== 'ready') return { kind: 'unavailable', reason: vault.reason };
      const { nonce, sealed } = seal(vault.key, place, value);
      sql.put.run(place, nonce, sealed, clock.now());
      return { kind: 'written' };
    },
    async get(place) {
      if (!sql.has.get(place)) return { kind: 'missing' };
      const vault = await open();
      if (vault.kind !== 'ready') return { kind: 'unavailable', reason: vault.reason };
      const row = sql.get.get(place);
      if (!row) return { kind: 'missing' };
      const value = unseal(vault.key, place, row);
      return value === null ? { kind: 'unavailable', reason: DAMAGED } : { kind: 'found', value };
    },
    remove: (place) => void sql.remove.run(place),
    removeAll(prefix) {
      const path = prefix.replace(/\/+$/, '');
      if (path !== '') sql.remove.run(path);
      sql.removeUnder.run({ start: path === '' ? '' : `${path}/` });
    },
    has: (place) => sql.has.get(place) === 1,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    sealer: () => (opened === null ? null : sealerWith(opened.key)),
  };
}

/** Its places are not those of the vault's own values, so that neither can be taken for the other. */
function sealerWith(key: Buffer): Sealer {
  const apart = (place: string) => `sealed:${place}`;
  return {
    seal(place, value) {
      const { nonce, sealed } = seal(key, apart(place), value);
      return Buffer.concat([nonce, sealed]);
    },
    unseal(place, whole) {
      if (whole.length < NONCE_BYTES + TAG_BYTES) return null;
      const nonce = whole.subarray(0, NONCE_BYTES);
      return unseal(key, apart(place), { nonce, sealed: whole.subarray(NONCE_BYTES) });
    },
  };
}

interface Sealed {
  readonly nonce: Buffer;
  readonly sealed: Buffer;
}
type Check = Sealed & { readonly source: 'keychain' | 'file' };
type Opened = { readonly kind: 'ready'; readonly by: 'keychain' | 'file'; readonly key: Buffer };
type Closed = Exclude<VaultState, { kind: 'ready' }>;

const PATIENCE_MS = 5_000;
const CLOSING: Closed = { kind: 'locked', reason: 'Gatehouse is closing.' };
const CHECK_PLACE = 'gatehouse:master-key-check';
const CHECK_VALUE = 'gatehouse';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const DAMAGED = 'The stored secret is damaged and cannot be read. Enter it again.';

/** NIST SP 800-38D: a random 96-bit nonce for each sealing, far below 2^32 sealings for one key. */
function seal(key: Buffer, place: string, value: string): Sealed {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(place, 'utf8'));
  const body = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()]);
  return { nonce, sealed: Buffer.concat([body, cipher.getAuthTag()]) };
}

/** Null when the key, the place or a byte is another one than at sealing. */
function unseal(key: Buffer, place: string, { nonce, sealed }: Sealed): string | null {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(place, 'utf8'));
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  const body = decipher.update(sealed.subarray(0, -TAG_BYTES));
  try {
    return Buffer.concat([body, decipher.final()]).toString('utf8');
  } catch {
    // The only thing final() throws for: the tag does not fit.
    return null;
  }
}

/** For sentences about a lost key. */
const BEGIN_ANEW = 'or begin with a new one and enter them again: gatehouse secrets begin-anew';

function lostReason(now: MasterKeySource, sealedBy: 'keychain' | 'file'): string {
  const again = BEGIN_ANEW;
  if (sealedBy === 'keychain' && now.by === 'file') {
    return `The stored secrets were sealed with the key in the keychain, not with the one in ${now.where}. Unset GATEHOUSE_MASTER_KEY_FILE, ${again}`;
  }
  if (sealedBy === 'file' && now.by === 'keychain') {
    return `The stored secrets were sealed with a key file. Set GATEHOUSE_MASTER_KEY_FILE to it, ${again}`;
  }
  return `The key that opens the stored secrets is no longer in ${now.where}. Put it back from a backup, ${again}`;
}
