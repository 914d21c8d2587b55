import { randomUUID } from 'node:crypto';
import type BetterSqlite3 from 'better-sqlite3';
import { z } from 'zod';
import type { Clock } from '../platform.ts';
import type { Vault } from '../secrets/vault.ts';
import type { ClientRegistration } from './authorization-server.ts';

/** For whom a registration was made. Whatever of it differs makes another one: nothing is shown to another server. */
export interface RegisteredFor {
  readonly upstreamId: string;
  readonly issuer: string;
  readonly redirectUri: string;
}

/** Clients that vendors registered by themselves (RFC 7591). */
export interface Registrations {
  /**
   * Null: none, or one that has run out, that was registered for less than `scopes`, or whose secret another program
   * changed. `unavailable`: the vault cannot say.
   */
  get(wanted: RegisteredFor, scopes: readonly string[] | null): Promise<ClientRegistration | null | Unavailable>;
  /**
   * Replaces one for the same. `scopes`: what it may ask for, where it was registered for some; `expiresAt`: of the secret,
   * milliseconds since 1970; null: it does not.
   */
  keep(
    wanted: RegisteredFor,
    client: ClientRegistration,
    scopes: readonly string[] | null,
    expiresAt: number | null,
  ): Promise<'kept' | Unavailable>;
  /** The vendor no longer knows it. */
  forget(upstreamId: string, issuer: string): void;
  forgetUpstream(upstreamId: string): void;
}

export interface Unavailable {
  readonly kind: 'unavailable';
  readonly reason: string;
}

/** Which there are; what a vendor gave is in the vault, beside everything it may be used for. */
export const registrationsSchema = `
CREATE TABLE client_registrations (
  id TEXT PRIMARY KEY,
  upstream_id TEXT NOT NULL,
  issuer TEXT NOT NULL,
  redirect_uri TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  UNIQUE (upstream_id, issuer, redirect_uri)
) STRICT;
`;

export function createRegistrations({
  db,
  vault,
  clock,
}: {
  readonly db: BetterSqlite3.Database;
  readonly vault: Vault;
  readonly clock: Clock;
}): Registrations {
  const sql = {
    of: db.prepare<[string, string, string], { id: string; expires_at: number | null }>(
      'SELECT id, expires_at FROM client_registrations WHERE upstream_id = ? AND issuer = ? AND redirect_uri = ?',
    ),
    ofIssuer: db
      .prepare<[string, string], string>('SELECT id FROM client_registrations WHERE upstream_id = ? AND issuer = ?')
      .pluck(),
    ofUpstream: db.prepare<[string], string>('SELECT id FROM client_registrations WHERE upstream_id = ?').pluck(),
    add: db.prepare(
      `INSERT INTO client_registrations (id, upstream_id, issuer, redirect_uri, created_at, expires_at)
       VALUES (?, ?, ?, ?, ?, ?)`,
    ),
    remove: db.prepare('DELETE FROM client_registrations WHERE id = ?'),
  };

  function drop(upstreamId: string, id: string): void {
    sql.remove.run(id);
    vault.remove(place(upstreamId, id));
  }

  return {
    async get({ upstreamId, issuer, redirectUri }, scopes) {
      const row = sql.of.get(upstreamId, issuer, redirectUri);
      if (row === undefined) return null;
      if (row.expires_at !== null && row.expires_at - EARLY_MS <= clock.now()) return null;
      const read = await vault.get(place(upstreamId, row.id));
      if (read.kind === 'unavailable') return read;
      if (read.kind === 'missing') return null;
      const { kept, client, scopes: registered } = keptSchema.parse(JSON.parse(read.value));
      // RFC 7591, section 2: a client asks for what it was registered for, and vendors hold it to that.
      if (registered !== null && (scopes ?? []).some((scope) => !registered.includes(scope))) return null;
      const isSame = kept.upstreamId === upstreamId && kept.issuer === issuer && kept.redirectUri === redirectUri;
      return isSame ? client : null;
    },
    async keep(wanted, client, scopes, expiresAt) {
      const { upstreamId, issuer, redirectUri } = wanted;
      const id = randomUUID();
      const value: z.infer<typeof keptSchema> = {
        kept: { upstreamId, issuer, redirectUri },
        client: { ...client, how: 'registered' },
        scopes: scopes === null || scopes.length === 0 ? null : [...scopes],
      };
      // The vault first: a row without its secret would be of no use.
      const written = await vault.put(place(upstreamId, id), JSON.stringify(value));
      if (written.kind === 'unavailable') return written;
      const old = sql.of.get(upstreamId, issuer, redirectUri);
      if (old !== undefined) drop(upstreamId, old.id);
      sql.add.run(id, upstreamId, issuer, redirectUri, clock.now(), expiresAt);
      return 'kept';
    },
    forget(upstreamId, issuer) {
      for (const id of sql.ofIssuer.all(upstreamId, issuer)) drop(upstreamId, id);
    },
    forgetUpstream(upstreamId) {
      for (const id of sql.ofUpstream.all(upstreamId)) drop(upstreamId, id);
    },
  };
}

/** Below the upstream's own: it goes when the upstream goes. */
function place(upstreamId: string, id: string): string {
  return `upstream/${upstreamId}/registration/${id}`;
}

const keptSchema = z.object({
  kept: z.object({ upstreamId: z.string(), issuer: z.string(), redirectUri: z.string() }),
  client: z.object({
    how: z.literal('registered'),
    clientId: z.string(),
    clientSecret: z.string().nullable(),
    tokenAuth: z.enum(['basic', 'post', 'none']),
  }),
  scopes: z.array(z.string()).nullable(),
});
/** A sign-in takes up to ten minutes, and its secret is needed at the end of it. */
const EARLY_MS = 15 * 60_000;
