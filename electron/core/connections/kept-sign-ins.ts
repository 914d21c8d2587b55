import type BetterSqlite3 from 'better-sqlite3';
import { z } from 'zod';
import type { SignInView } from '../../../shared/connections.ts';

/** The latest sign-ins of each upstream with their traces, so that what failed yesterday can be read today. No secrets. */
export interface KeptSignIns {
  /** Newest first. */
  list(upstreamId?: string): readonly SignInView[];
  get(id: string): SignInView | null;
  /** Kept until there are newer ones; its link is not. */
  keep(view: SignInView): void;
  forget(upstreamId: string): void;
}

export const signInsSchema = `
CREATE TABLE sign_ins (
  id TEXT PRIMARY KEY,
  upstream_id TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  view TEXT NOT NULL CHECK (json_valid(view))
) STRICT;
CREATE INDEX sign_ins_by_upstream ON sign_ins (upstream_id, started_at);
`;

export function createKeptSignIns(db: BetterSqlite3.Database): KeptSignIns {
  const all = db.prepare<[], Row>('SELECT view FROM sign_ins ORDER BY started_at DESC, rowid DESC');
  const of = db.prepare<[string], Row>(
    'SELECT view FROM sign_ins WHERE upstream_id = ? ORDER BY started_at DESC, rowid DESC',
  );
  const one = db.prepare<[string], Row>('SELECT view FROM sign_ins WHERE id = ?');
  const put = db.prepare(
    'INSERT INTO sign_ins (id, upstream_id, started_at, view) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET view = excluded.view',
  );
  const trim = db.prepare(
    'DELETE FROM sign_ins WHERE upstream_id = ? AND id NOT IN (SELECT id FROM sign_ins WHERE upstream_id = ? ORDER BY started_at DESC, rowid DESC LIMIT ?)',
  );
  const remove = db.prepare('DELETE FROM sign_ins WHERE upstream_id = ?');
  return {
    list: (upstreamId) =>
      (upstreamId === undefined ? all.all() : of.all(upstreamId)).flatMap((row) => viewOf(row) ?? []),
    get(id) {
      const row = one.get(id);
      return row === undefined ? null : viewOf(row);
    },
    keep: db.transaction((view: SignInView) => {
      // A link holds the state that the browser must bring back: it is of use to nobody but the sign-in under way.
      put.run(view.id, view.upstreamId, view.startedAt, JSON.stringify({ ...view, link: null }));
      trim.run(view.upstreamId, view.upstreamId, MOST);
    }),
    forget: (upstreamId) => void remove.run(upstreamId),
  };
}

interface Row {
  readonly view: string;
}

/** Null: another version or another program wrote it. A trace that cannot be read is none; it keeps nothing from starting. */
function viewOf({ view }: Row): SignInView | null {
  return viewSchema.safeParse(JSON.parse(view)).data ?? null;
}

const step = z.object({
  at: z.number(),
  name: z.enum([
    'challenge',
    'resource_metadata',
    'server_metadata',
    'choice',
    'client_id',
    'redirect',
    'authorize',
    'callback',
    'token',
    'refresh',
    'revoke',
    'check',
  ]),
  outcome: z.enum(['ok', 'skipped', 'failed', 'waiting']),
  message: z.string(),
  request: z.object({ method: z.string(), url: z.string() }).nullable(),
  status: z.number().nullable(),
  read: z.array(z.string()),
});

const viewSchema: z.ZodType<SignInView> = z.object({
  id: z.string(),
  workspaceId: z.string(),
  upstreamId: z.string(),
  upstream: z.string(),
  label: z.string(),
  connectionId: z.string().nullable(),
  mode: z.enum(['none', 'api_key', 'mcp_oauth', 'oauth', 'client_credentials']),
  state: z.enum([
    'working',
    'choose_server',
    'needs_client_id',
    'confirm_scopes',
    'waiting',
    'connected',
    'failed',
    'cancelled',
  ]),
  link: z.null(),
  servers: z.array(z.string()),
  scopes: z.array(z.string()).nullable(),
  newScopes: z.array(z.string()),
  redirectUri: z.string().nullable(),
  steps: z.array(step),
  code: z
    .enum([
      'no_registration_endpoint',
      'dynamic_registration_failed',
      'no_protected_resource_metadata',
      'no_server_metadata',
      'issuer_mismatch',
      'resource_mismatch',
      'pkce_unsupported',
      'redirect_rejected',
      'redirect_unavailable',
      'state_mismatch',
      'access_denied',
      'authorization_failed',
      'token_refused',
      'token_unusable',
      'client_refused',
      'host_not_allowed',
      'insecure_address',
      'unreachable',
      'too_large',
      'timeout',
      'scope_refused',
      'key_refused',
      'secret_unavailable',
      'cancelled',
    ])
    .nullable(),
  message: z.string().nullable(),
  next: z
    .object({
      act: z.enum([
        'paste_client_id',
        'use_classic_oauth',
        'check_url',
        'allow_host',
        'allow_no_pkce',
        'set_redirect',
        'try_again',
        'paste_key',
        'unlock_keychain',
        'ask_vendor',
      ]),
      text: z.string(),
    })
    .nullable(),
  startedAt: z.number(),
  endsAt: z.number(),
});

/** Kept of each upstream. */
const MOST = 20;
