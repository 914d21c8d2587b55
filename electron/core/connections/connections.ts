import { randomUUID } from 'node:crypto';
import type BetterSqlite3 from 'better-sqlite3';
import type { ConnectionView } from '../../../shared/connections.ts';
import type { Audit } from '../audit/audit.ts';
import { faultFields } from '../diagnosis/fault.ts';
import type { Log } from '../diagnosis/log.ts';
import type { Clock } from '../platform.ts';
import type { Vault } from '../secrets/vault.ts';
import { faultOf } from '../store/database.ts';
import { codeOf } from '../store/files.ts';
import type { CredentialsFor } from '../upstreams/credentials.ts';
import { type Connection, createConnectionTable } from './connection-table.ts';
import { createConnectionView } from './connection-view.ts';
import { createCredentialsFor } from './credentials.ts';
import type { Grant } from './grant.ts';
import { createGrants, UNWRITABLE } from './grants.ts';
import { keepAlive } from './keep-alive.ts';
import { renews } from './lifetime.ts';
import { misfitOf, type UpstreamFacts, usedAtOf } from './presented.ts';
import type { Renewals } from './renewals.ts';
import { stepUpsOf } from './step-up.ts';
import { watchVault } from './vault-watch.ts';

export type ConnectionResult =
  | { readonly kind: 'done'; readonly connection: ConnectionView }
  | { readonly kind: 'refused'; readonly message: string };

/** The accounts of all upstreams. */
export interface Connections {
  list(upstreamId?: string): readonly ConnectionView[];
  get(id: string): ConnectionView | null;
  byLabel(upstreamId: string, label: string): ConnectionView | null;
  /**
   * What a call goes out with: the account it names, else the client's own choice, else the default one. `none`: the
   * upstream has no accounts, or needs none. `unknown`: no account of that label; `labels` are those there are.
   */
  choose(
    clientId: string,
    upstreamId: string,
    label: string | null,
  ):
    | { readonly kind: 'chosen'; readonly connection: ConnectionView }
    | { readonly kind: 'none' }
    | { readonly kind: 'unknown'; readonly labels: readonly string[] };
  /**
   * An account was signed in: kept durably, in the vault first, before this resolves. `connectionId` null: a new one; the
   * first of an upstream is its default. The grant is given without its ids, which this knows.
   */
  connect(wanted: {
    readonly upstreamId: string;
    readonly label: string;
    readonly connectionId: string | null;
    readonly grant:
      | Omit<Extract<Grant, { kind: 'tokens' }>, 'upstreamId' | 'connectionId'>
      | Omit<Extract<Grant, { kind: 'api_key' }>, 'upstreamId' | 'connectionId'>;
  }): Promise<ConnectionResult>;
  rename(id: string, label: string): ConnectionResult;
  /** Ends the grant here at once, and then at the vendor (RFC 7009); `note`: what the vendor did not do. */
  signOut(id: string): Promise<ConnectionResult & { readonly note?: string | null }>;
  remove(
    id: string,
  ): Promise<
    { readonly kind: 'done'; readonly note: string | null } | { readonly kind: 'refused'; readonly message: string }
  >;
  /** `clientId` null: of every client without a choice of its own. */
  makeDefault(id: string, clientId: string | null): ConnectionResult;
  /** The upstream was removed: its accounts go with it. */
  forgetUpstream(upstreamId: string): Promise<void>;
  readonly credentialsFor: CredentialsFor;
  onChange(listener: (upstreamId: string) => void): () => void;
  close(): void;
}

export interface ConnectionsParts {
  readonly db: BetterSqlite3.Database;
  readonly clock: Clock;
  readonly vault: Vault;
  readonly renewals: Renewals;
  readonly audit: Pick<Audit, 'writeSoon'>;
  readonly log: Log;
  upstream(id: string): UpstreamFacts | null;
  /** As records name it. */
  workspaceName(id: string): string | null;
  /** False: one command of the command line holds the data folder, and nothing is done by itself. */
  readonly running: boolean;
  /** Another account stands behind this id than before, or none; null: only which one is the default has changed. */
  replaced(upstreamId: string, connectionId: string | null): void;
}

export function createConnections(parts: ConnectionsParts): Connections {
  const { clock, vault, renewals, log } = parts;
  const table = createConnectionTable(parts);
  const listeners = new Set<(upstreamId: string) => void>();
  const grants = createGrants({
    ...parts,
    renewed(connection, grant) {
      if (!isStill(connection)) return;
      table.note(connection.id, { expiresAt: grant.expiresAt, scopes: grant.scopes, renews: renews(grant) });
      log.info('grant_renewed', { connection: connection.id });
      tell(connection.upstreamId);
    },
    released: (id, lastUsedAt) => table.note(id, { lastUsedAt }),
  });
  const credentialsFor = createCredentialsFor({
    clock,
    table,
    grants,
    upstream: parts.upstream,
    ended(connection, reason) {
      if (!isStill(connection) || table.get(connection.id)?.state === 'reconnect') return;
      table.note(connection.id, { state: 'reconnect', reason: `Sign in again. ${reason}` });
      record('connection_ended', connection, { reason });
      tell(connection.upstreamId);
    },
    wantsMore(connection, { asksFor, words }) {
      const name = parts.upstream(connection.upstreamId)?.name ?? '';
      const reason = `${name} ${words}`;
      const known = table.get(connection.id);
      if (!isStill(connection) || (known?.state === 'more_scopes' && known.reason === reason)) return;
      table.note(connection.id, { state: 'more_scopes', reason, asksFor });
      record('connection_wants_more', connection, { scopes: asksFor ?? [] });
      tell(connection.upstreamId);
    },
  });

  /** What is found out late is about the sign-in that it began with: not about a newer one, nor one that the person ended. */
  function isStill({ id, connectedAt }: Connection): boolean {
    const now = table.get(id);
    return now !== null && now.state !== 'signed_out' && now.connectedAt === connectedAt;
  }

  const upstreamIds = () => new Set([...table.all()].map((row) => row.upstreamId));

  function tell(upstreamId: string): void {
    for (const listener of listeners) listener(upstreamId);
  }

  const watch = watchVault({
    clock,
    vault,
    isUsed: () => [...table.all()].length > 0,
    changed(isOpen) {
      // What could not be read is read anew: with its key, or because it was forgotten with a lost one.
      if (isOpen) grants.forgetShut();
      for (const id of upstreamIds()) tell(id);
    },
  });
  const viewOf = createConnectionView({ ...parts, table, grants, vaultState: watch.state });
  const keptAlive = keepAlive({ ...parts, table, credentialsFor });

  function record(
    kind: string,
    { upstreamId, label }: Connection,
    detail: Readonly<Record<string, unknown>> = {},
  ): void {
    const upstream = parts.upstream(upstreamId);
    if (upstream === null) return;
    const workspace = parts.workspaceName(upstream.workspaceId) ?? upstream.workspaceId;
    parts.audit.writeSoon({
      phase: 'event',
      kind,
      workspace,
      upstream: upstream.name,
      detail: { connection: label, ...detail },
    });
  }

  const done = (id: string): ConnectionResult => {
    const connection = table.get(id);
    return connection === null ? refused(NONE) : { kind: 'done', connection: viewOf(connection) };
  };

  function refuseLabel(upstreamId: string, label: string, own: string | null): string | null {
    const taken = table.of(upstreamId).find((row) => row.id !== own && isLabel(row, label));
    return taken === undefined ? null : `There is an account "${taken.label}" already. Choose another label.`;
  }

  /** Ended here before anything is asked of the vendor. */
  async function end(connection: Connection): Promise<string | null> {
    const ending = grants.end(connection.id);
    parts.replaced(connection.upstreamId, connection.id);
    tell(connection.upstreamId);
    const grant = await ending;
    if (grant === null) return connection.state === 'signed_out' ? null : NOT_READ;
    if (grant.kind !== 'tokens') return null;
    return renewals.revoke(connection.upstreamId, grant);
  }

  async function forget(upstreamId: string): Promise<void> {
    const all = table.of(upstreamId);
    for (const { id } of all) table.remove(id);
    await Promise.all(
      all.map(async ({ id }) => {
        const grant = await grants.end(id);
        if (grant?.kind === 'tokens') await renewals.revoke(upstreamId, grant);
      }),
    );
  }

  // Gatehouse ended between the end of an upstream and that of its accounts.
  for (const id of upstreamIds()) if (parts.upstream(id) === null) void forget(id);

  return {
    list: (upstreamId) =>
      [...table.all()]
        .filter((row) => upstreamId === undefined || row.upstreamId === upstreamId)
        .map(viewOf)
        .toSorted((a, b) => compare(a.upstream, b.upstream) || compare(a.label, b.label)),
    get(id) {
      const connection = table.get(id);
      return connection === null ? null : viewOf(connection);
    },
    byLabel(upstreamId, label) {
      const found = table.of(upstreamId).find((row) => isLabel(row, label));
      return found === undefined ? null : viewOf(found);
    },
    choose(clientId, upstreamId, label) {
      const all = table.of(upstreamId);
      if (label !== null) {
        const named = all.find((row) => isLabel(row, label));
        if (named === undefined) return { kind: 'unknown', labels: all.map((row) => row.label) };
        return { kind: 'chosen', connection: viewOf(named) };
      }
      // Nobody signs in there any more: accounts of before stay, for the day the way of before is set again.
      if (parts.upstream(upstreamId)?.signIn.kind === 'none') return { kind: 'none' };
      const chosen = table.choice(clientId, upstreamId);
      const used = all.find((row) => row.id === chosen) ?? all.find((row) => row.isDefault);
      return used === undefined ? { kind: 'none' } : { kind: 'chosen', connection: viewOf(used) };
    },

    async connect({ upstreamId, label, connectionId, grant: given }) {
      const upstream = parts.upstream(upstreamId);
      if (upstream === null) return refused('There is no such upstream any more.');
      const before = connectionId === null ? null : table.get(connectionId);
      if (connectionId !== null && before?.upstreamId !== upstreamId) return refused(NONE);
      const { signIn, transport, name } = upstream;
      const isFit = given.kind === 'api_key' ? signIn.kind === 'api_key' : isTokenMode(signIn.kind);
      if (signIn.kind === 'none' || !isFit || given.usedAt !== usedAtOf(transport))
        return refused(`How accounts sign in at ${name} was changed meanwhile. Start the sign-in again.`);
      const unfit = misfitOf(signIn.kind, given.usedAt, upstream);
      if (unfit !== null) return refused(unfit);
      const unusable = given.kind === 'api_key' ? refuseKey(given.key, given.place.in) : null;
      if (unusable !== null) return refused(unusable);
      const reason = refuseLabel(upstreamId, label, connectionId);
      if (reason !== null) return refused(reason);
      if (before === null && table.of(upstreamId).length >= MOST_ACCOUNTS)
        return refused(`${name} has ${MOST_ACCOUNTS} accounts already, the most there can be. Remove one first.`);

      const id = connectionId ?? randomUUID();
      const grant: Grant = { ...given, upstreamId, connectionId: id };
      const unkept = await grants.keep(grant);
      if (unkept !== null) return refused(`${name} let you in, and the account could not be kept. ${unkept}`);
      const last = table.get(id);
      // Another sign-in may have taken the label while the keychain was asked.
      const taken = refuseLabel(upstreamId, label, id);
      if (taken !== null) {
        if (last === null) await grants.end(id);
        return refused(taken);
      }
      const now = clock.now();
      const isTokens = grant.kind === 'tokens';
      const isStepUp = last !== null && last.asksFor !== null;
      const connection: Connection = {
        id,
        upstreamId,
        label,
        mode: signIn.kind,
        state: 'connected',
        reason: null,
        issuer: isTokens ? grant.issuer : null,
        usedAt: grant.usedAt,
        scopes: isTokens ? grant.scopes : null,
        asksFor: null,
        stepUps: last === null ? 0 : stepUpsOf(last, now) + (isStepUp ? 1 : 0),
        steppedUpAt: isStepUp ? now : (last?.steppedUpAt ?? null),
        expiresAt: isTokens ? grant.expiresAt : null,
        renews: isTokens && renews(grant),
        isDefault: last?.isDefault ?? table.defaultOf(upstreamId) === null,
        createdAt: last?.createdAt ?? now,
        connectedAt: now,
        lastUsedAt: last?.lastUsedAt ?? null,
      };
      try {
        table.put(connection);
      } catch (error) {
        const code = codeOf(error);
        if (!code.startsWith('SQLITE_')) throw error;
        if (last === null) await grants.end(id);
        log.error('connection_not_kept', { connection: id, ...faultFields(error) });
        return refused(faultOf(error, parts.db.name)?.message ?? UNWRITABLE);
      }
      record(last === null ? 'connection_made' : 'connection_renewed', connection, {
        mode: connection.mode,
        ...(connection.issuer === null ? {} : { issuer: connection.issuer }),
        ...(connection.scopes === null ? {} : { scopes: connection.scopes }),
      });
      parts.replaced(upstreamId, id);
      tell(upstreamId);
      return done(id);
    },

    rename(id, label) {
      const connection = table.get(id);
      if (connection === null) return refused(NONE);
      const reason = refuseLabel(connection.upstreamId, label, id);
      if (reason !== null) return refused(reason);
      table.put({ ...connection, label });
      record('connection_renamed', connection, { to: label });
      tell(connection.upstreamId);
      return done(id);
    },

    async signOut(id) {
      const connection = table.get(id);
      if (connection === null) return refused(NONE);
      table.put({ ...connection, state: 'signed_out', reason: SIGNED_OUT, asksFor: null, expiresAt: null });
      record('connection_signed_out', connection);
      const note = await end(connection);
      const result = done(id);
      return result.kind === 'done' ? { ...result, note } : result;
    },

    async remove(id) {
      const connection = table.get(id);
      if (connection === null) return refused(NONE);
      record('connection_removed', connection);
      table.remove(id);
      const next = connection.isDefault ? table.of(connection.upstreamId)[0] : undefined;
      if (next !== undefined) table.makeDefault(next.id);
      return { kind: 'done', note: await end(connection) };
    },

    makeDefault(id, clientId) {
      const connection = table.get(id);
      if (connection === null) return refused(NONE);
      if (clientId === null) table.makeDefault(id);
      else table.choose(clientId, connection);
      record('connection_default_set', connection, clientId === null ? {} : { client: clientId });
      if (clientId === null) parts.replaced(connection.upstreamId, null);
      tell(connection.upstreamId);
      return done(id);
    },

    forgetUpstream: forget,

    credentialsFor,
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close() {
      watch.stop();
      keptAlive.stop();
      grants.close();
    },
  };
}

/** Labels differ in more than their case, as they do in the table. */
function isLabel(row: Connection, label: string): boolean {
  return row.label.toLowerCase() === label.toLowerCase();
}

function isTokenMode(mode: string): boolean {
  return mode === 'mcp_oauth' || mode === 'oauth' || mode === 'client_credentials';
}

function refuseKey(key: string, place: 'header' | 'query' | 'environment'): string | null {
  if (key.includes('\0')) return 'The key holds a NUL character. Paste it again.';
  if (place === 'header' && !/^[\t\x20-\x7e\x80-\xff]*$/.test(key))
    return 'The key holds characters that no header can hold. Paste it again.';
  return null;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function refused(message: string): { readonly kind: 'refused'; readonly message: string } {
  return { kind: 'refused', message };
}

const NONE = 'There is no such account any more.';
const SIGNED_OUT = 'You signed out.';
const NOT_READ = 'The vendor was not told, since what is stored for the account cannot be read.';
const MOST_ACCOUNTS = 20;
