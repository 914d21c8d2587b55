import Database from 'better-sqlite3';
import { onTestFinished } from 'vitest';
import type { AuditInput } from '../../../electron/core/audit/audit.ts';
import type { ConnectionResult, Connections } from '../../../electron/core/connections/connections.ts';
import { createKeptSignIns, signInsSchema } from '../../../electron/core/connections/kept-sign-ins.ts';
import { createProcedure } from '../../../electron/core/connections/procedures.ts';
import { createRedirectPorts, redirectPortsSchema } from '../../../electron/core/connections/redirect-ports.ts';
import { createRegistrations, registrationsSchema } from '../../../electron/core/connections/registrations.ts';
import { createSignIns, type SignIns } from '../../../electron/core/connections/sign-ins.ts';
import { silentLog } from '../../../electron/core/diagnosis/log.ts';
import { type Clock, systemClock } from '../../../electron/core/platform.ts';
import type { Vault, VaultState } from '../../../electron/core/secrets/vault.ts';
import { clientSecretPlace, usualSignIn } from '../../../electron/core/upstreams/sign-in.ts';
import type { ConnectionView, SignIn, SignInState, SignInView } from '../../../shared/connections.ts';
import type { UpstreamView } from '../../../shared/model.ts';

type Connected = Parameters<Connections['connect']>[0];

/** Sign-ins with everything real but what keeps an account: that only notes what it was given. */
export interface SignInRig {
  readonly signIns: SignIns;
  readonly connected: readonly Connected[];
  readonly accounts: ConnectionView[];
  readonly events: readonly AuditInput[];
  readonly refreshed: readonly string[];
  readonly secrets: ReadonlyMap<string, string>;
  readonly db: Database.Database;
  upstream(): UpstreamView;
  /** The next account that is to be kept waits for `release`. */
  holdConnect(): { readonly reached: Promise<void>; release(): void };
  /** What `connect` answers from now on. */
  refuse(message: string | null): void;
  start(options?: Partial<Parameters<SignIns['start']>[0]>): SignInView;
  until(id: string, ...states: readonly SignInState[]): Promise<SignInView>;
}

export function signInRig(
  address: string,
  options: {
    readonly signIn?: SignIn;
    readonly clock?: Clock;
    readonly db?: Database.Database;
    readonly secrets?: Readonly<Record<string, string>>;
    readonly metadataUrl?: string;
    readonly clientSecret?: string;
    readonly vaultState?: VaultState;
  } = {},
): SignInRig {
  const { clock = systemClock } = options;
  const db = options.db ?? new Database(':memory:');
  if (options.db === undefined) db.exec(`${signInsSchema};${redirectPortsSchema};${registrationsSchema}`);
  const transport: UpstreamView['transport'] = { kind: 'http', url: address, secretHeaders: [] };
  let upstream = {
    id: 'u',
    workspaceId: 'w',
    name: 'notes',
    transport,
    settings: { allowPrivate: false },
    signIn: options.signIn ?? usualSignIn(transport),
  } as UpstreamView;
  const secrets = new Map<string, string>();
  if (options.clientSecret !== undefined) secrets.set(clientSecretPlace('u'), options.clientSecret);
  const vault = {
    async put(place: string, value: string) {
      secrets.set(place, value);
      return { kind: 'written' };
    },
    async get(place: string) {
      const value = secrets.get(place);
      return value === undefined ? { kind: 'missing' } : { kind: 'found', value };
    },
    remove: (place: string) => void secrets.delete(place),
    state: async () => options.vaultState ?? { kind: 'ready', by: 'keychain' },
  } as unknown as Vault;
  const connected: Connected[] = [];
  const accounts: ConnectionView[] = [];
  const events: AuditInput[] = [];
  const refreshed: string[] = [];
  let refusal: string | null = null;
  let held = async () => {};
  const connections = {
    list: () => accounts,
    get: (id: string) => accounts.find((one) => one.id === id) ?? null,
    async connect(wanted: Connected): Promise<ConnectionResult> {
      await held();
      if (refusal !== null) return { kind: 'refused', message: refusal };
      connected.push(wanted);
      const tokens = wanted.grant.kind === 'tokens' ? wanted.grant : null;
      const connection = account({
        id: wanted.connectionId ?? `c${connected.length}`,
        label: wanted.label,
        issuer: tokens?.issuer ?? null,
        scopes: tokens?.scopes ?? null,
      });
      return { kind: 'done', connection };
    },
  };
  const upstreams = {
    get: () => upstream,
    challengeOf: () => null,
    async setSignIn(_id: string, signIn: SignIn, clientSecret: string | null | undefined) {
      upstream = { ...upstream, signIn };
      if (typeof clientSecret === 'string') secrets.set(clientSecretPlace('u'), clientSecret);
      return { kind: 'done' as const, upstream };
    },
    async refresh(id: string) {
      refreshed.push(id);
      return { kind: 'done' as const, upstream };
    },
  };
  const signIns = createSignIns({
    clock,
    log: silentLog,
    audit: { writeSoon: (entry) => void events.push(entry) },
    kept: createKeptSignIns(db),
    connections,
    upstreams,
    workspaceName: () => 'Personal',
    procedure: createProcedure({
      outbound: { environment: {}, lookup: undefined, clock, version: '0.0.0-test' },
      connections,
      upstreams,
      vault,
      registrations: createRegistrations({ db, vault, clock }),
      ports: createRedirectPorts(db),
      metadataUrl: options.metadataUrl ?? null,
    }),
  });
  onTestFinished(() => signIns.close());
  const rig: SignInRig = {
    signIns,
    connected,
    accounts,
    events,
    refreshed,
    secrets,
    db,
    upstream: () => upstream,
    holdConnect() {
      const [arrival, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      held = () => {
        arrival.resolve();
        return go.promise;
      };
      return { reached: arrival.promise, release: go.resolve };
    },
    refuse(message) {
      refusal = message;
    },
    start(wanted = {}) {
      const started = signIns.start({ upstream, label: null, connectionId: null, secret: null, by: 'test', ...wanted });
      if (started.kind === 'refused') throw new Error(started.message);
      return started.signIn;
    },
    async until(id, ...states) {
      const end = performance.now() + 5_000;
      for (;;) {
        const view = signIns.get(id);
        if (view !== null && states.includes(view.state)) return view;
        if (performance.now() > end) throw new Error(`never ${states.join(' or ')}: ${JSON.stringify(view, null, 1)}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
  };
  return rig;
}

export function account(wanted: Partial<ConnectionView>): ConnectionView {
  return {
    id: 'c1',
    workspaceId: 'w',
    upstreamId: 'u',
    upstream: 'notes',
    label: 'work',
    mode: 'mcp_oauth',
    state: 'connected',
    reason: null,
    issuer: null,
    scopes: null,
    asksFor: null,
    expiresAt: null,
    renews: true,
    isDefault: true,
    defaultFor: [],
    connectedAt: 1,
    lastUsedAt: null,
    ...wanted,
  };
}
