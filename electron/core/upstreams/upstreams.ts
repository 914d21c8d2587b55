import type { LookupFunction } from 'node:net';
import type BetterSqlite3 from 'better-sqlite3';
import type { SignIn } from '../../../shared/connections.ts';
import type { UpstreamTransport, UpstreamView } from '../../../shared/model.ts';
import type { Audit } from '../audit/audit.ts';
import type { Inventory } from '../catalog/inventory.ts';
import type { Log } from '../diagnosis/log.ts';
import type { Written } from '../exact-text.ts';
import type { Clock } from '../platform.ts';
import type { Vault } from '../secrets/vault.ts';
import { type Confirmed, unsealed } from './confirmed.ts';
import { type CredentialsFor, withoutAccount } from './credentials.ts';
import {
  createDefinitions,
  endpointOf,
  refuseDefinition,
  refuseSecrets,
  secretPlaces,
  type UpstreamDefinition,
  whatRuns,
} from './definitions.ts';
import type { Environment } from './environment.ts';
import { createEras } from './eras.ts';
import { defaultLimits, type UpstreamLimits } from './limits.ts';
import { createMember, type Member } from './member.ts';
import { createProcesses } from './processes.ts';
import type { UpstreamOutcome, UpstreamRequest } from './request.ts';
import { changedSettings, refuseSettings, type SettingsChange, usualSettings } from './settings.ts';
import { clientSecretIssuerPlace, clientSecretPlace, isUsual, refuseSignIn, usualSignIn } from './sign-in.ts';
import { unsaved } from './unsaved.ts';

export { upstreamSignInSchema, upstreamsSchema } from './definitions.ts';

export interface UpstreamChange extends SettingsChange {
  readonly transport?: UpstreamTransport;
  readonly tags?: readonly string[];
  /** Values for the vault; names not in the transport are refused. */
  readonly secrets?: Readonly<Record<string, string>>;
}

export type UpstreamsResult =
  | { readonly kind: 'done'; readonly upstream: UpstreamView }
  | { readonly kind: 'refused'; readonly message: string };

/**
 * Told of what an upstream says beside its answers. `sessionKey`: for that session alone; null: for whom it concerns.
 * `connectionId`: the account that it was said to.
 */
export type UpstreamNotice = (
  upstreamId: string,
  method: string,
  params: Written,
  sessionKey: string | null,
  connectionId: string | null,
) => void;

export interface Upstreams {
  list(workspaceId?: string): readonly UpstreamView[];
  get(id: string): UpstreamView | null;
  byName(workspaceId: string, name: string): UpstreamView | null;
  /** Stores it, starts it in the background and lists its tools; never waits for it. */
  add(wanted: {
    readonly workspaceId: string;
    readonly name: string;
    readonly transport: UpstreamTransport;
    readonly tags: readonly string[];
    readonly secrets: Readonly<Record<string, string>>;
    readonly settings?: SettingsChange;
  }): Promise<UpstreamsResult>;
  change(id: string, change: UpstreamChange): Promise<UpstreamsResult>;
  /** How accounts sign in there. `clientSecret`: null, there is none any more; undefined, as it was. */
  setSignIn(id: string, signIn: SignIn, clientSecret: string | null | undefined): Promise<UpstreamsResult>;
  /** The person confirmed it as it is now, although it is not what was confirmed before: it is started. */
  confirm(id: string): UpstreamsResult;
  remove(id: string): Promise<UpstreamsResult>;
  setEnabled(id: string, enabled: boolean): Promise<UpstreamsResult>;
  /** Restarts a failed one and lists again; waits for the listing at most 15 s. */
  refresh(id: string): Promise<UpstreamsResult>;
  /** Ends whatever runs of it and starts it anew, in whatever state it is; waits as `refresh` does. */
  restart(id: string): Promise<UpstreamsResult>;
  logs(id: string): readonly string[];
  request(request: UpstreamRequest): Promise<UpstreamOutcome>;
  /**
   * How every request as this account (null: the default one) ends until a person does something about it: disabled,
   * failed for good, removed, signed out; null: it may work.
   */
  unavailable(id: string, connectionId?: string | null): UpstreamOutcome | null;
  /** As the person confirmed it, at once: for who looks at it with every request. */
  definition(id: string): UpstreamDefinition | null;
  /** `WWW-Authenticate` of its last 401, as it came; null: there was none. Untrusted. */
  challengeOf(id: string): string | null;
  /**
   * Somebody else stands behind this account now, or nobody: what runs as it is ended. Null: only which account is the
   * default has changed. Either way the upstream is listed again at once.
   */
  accountReplaced(id: string, connectionId: string | null): void;
  /** Resources as the upstream listed them last; not templates. */
  resources(id: string): readonly Readonly<Record<string, unknown>>[];
  /** What the upstream said at its last start that it can do; empty while it never ran. */
  capabilities(id: string): Readonly<Record<string, unknown>>;
  /**
   * `notifications/resources/updated` of this URI will be told, once for all who subscribed as the same account.
   * `connectionId`: the account of the client's own choice; null: the default one, whichever that is from time to time.
   */
  subscribe(id: string, uri: string, sessionKey: string, connectionId: string | null): Promise<UpstreamOutcome>;
  unsubscribe(id: string, uri: string, sessionKey: string): Promise<UpstreamOutcome>;
  /** As `subscribe`, for one that the upstream took before a restart: made once the upstream is there. */
  resubscribe(id: string, uri: string, sessionKey: string, connectionId: string | null): void;
  /** The session keys that subscribed to this URI as this account. */
  subscribers(id: string, uri: string, connectionId: string | null): readonly string[];
  /** The roots of this session are others now: told to the legacy upstreams that it has a link of its own to. */
  rootsChanged(sessionKey: string): void;
  /** The session ended: what it subscribed to ends. */
  forgetSession(sessionKey: string): void;
  onNotice(listener: UpstreamNotice): () => void;
  /** Calls in flight and queued: for /health. */
  load(): { readonly inFlight: number; readonly queued: number };
  /** Starts every enabled upstream that is not to wait for its first call, in parallel in the background. */
  startAll(): void;
  /** Whole process trees gone within 5 s. */
  stopAll(): Promise<void>;
  onChange(listener: (upstreamId: string) => void): () => void;
}

export interface UpstreamsParts {
  readonly db: BetterSqlite3.Database;
  readonly clock: Clock;
  readonly vault: Vault;
  readonly inventory: Inventory;
  readonly log: Log;
  readonly audit: Pick<Audit, 'writeSoon'>;
  /** As records name it. Default: its id. */
  workspaceName?(id: string): string | null;
  /** Whom requests go out as. Default: nobody is signed in anywhere. */
  readonly credentialsFor?: CredentialsFor;
  /** Whether a definition is what the person confirmed. Default: whatever is stored was. */
  readonly confirmed?: Confirmed;
  readonly limits?: Partial<UpstreamLimits>;
  /** What children may inherit from, and where commands are looked for. Default: our own. */
  readonly environment?: Environment;
  /** PATH where it is not that of the environment: a desktop does not start us with the person's. */
  loginPath?(): Promise<string | undefined>;
  /** How the names in addresses are looked up. Default: as the system does. */
  readonly lookup?: LookupFunction;
  /** Of Gatehouse, as told to upstreams. */
  readonly version?: string;
  /** One command of the command line holds the data folder: what it adds is started by the app, not by it. */
  readonly idle?: boolean;
}

/** Builds the upstreams of `state.db` and ends processes that an earlier run left behind. Starts nothing else. */
export function createUpstreams(parts: UpstreamsParts): Upstreams {
  const { clock, vault, inventory, log } = parts;
  const limits: UpstreamLimits = { ...defaultLimits, ...parts.limits };
  const environment = parts.environment ?? process.env;
  const definitions = createDefinitions(parts.db, clock);
  const confirmed = parts.confirmed ?? unsealed;
  const processes = createProcesses(parts);
  const presents: CredentialsFor =
    parts.credentialsFor ?? ((id: string) => withoutAccount(members.get(id)?.definition().name ?? 'The upstream'));
  const shared = {
    clock,
    limits,
    vault,
    confirmed,
    log,
    processes,
    inventory,
    eras: createEras(parts.db, clock),
    environment,
    lookup: parts.lookup,
    commandEnvironment: async () =>
      parts.loginPath === undefined ? environment : { ...environment, PATH: await parts.loginPath() },
    version: parts.version ?? '0.0.0',
    credentialsFor: presents,
  };
  const listeners = new Set<(upstreamId: string) => void>();
  const noticeListeners = new Set<UpstreamNotice>();
  const members = new Map<string, Member>();
  let isStopping = false;
  processes.cleanUp();
  for (const definition of definitions.all()) take(definition);

  /** What goes together on disk: when one of the writes fails, none of them happened. */
  function allOrNothing(write: () => void): void {
    parts.db.transaction(write)();
  }

  function take(definition: UpstreamDefinition): Member {
    const member: Member = createMember(definition, {
      ...shared,
      mayStart: () => !isStopping && members.get(definition.id) === member && member.definition().enabled,
      unsaved: (error) => unsaved(definition.name, error, parts.db),
      changed: () => tell(definition.id),
      noteCapabilities: (capabilities) => definitions.update(definition.id, { capabilities }),
      noteCommand: (path) => definitions.update(definition.id, { resolvedCommand: path }),
      record: (kind, detail) => record(definition, kind, detail),
      notice(method, params, sessionKey, connectionId) {
        for (const listener of noticeListeners) listener(definition.id, method, params, sessionKey, connectionId);
      },
    });
    members.set(definition.id, member);
    return member;
  }

  function tell(id: string): void {
    for (const listener of listeners) listener(id);
  }

  const workspaceNamed = (id: string) => parts.workspaceName?.(id) ?? id;

  function record(
    { name, workspaceId }: UpstreamDefinition,
    kind: string,
    detail: Readonly<Record<string, unknown>>,
  ): void {
    parts.audit.writeSoon({ phase: 'event', kind, workspace: workspaceNamed(workspaceId), upstream: name, detail });
  }

  /** Names only. Whoever gave a secret must be able to find out later that it was not kept. */
  function recordUnkept(
    { name, workspaceId }: Pick<UpstreamDefinition, 'name' | 'workspaceId'>,
    secrets: readonly string[],
    reason: string,
  ): void {
    parts.audit.writeSoon({
      phase: 'event',
      kind: 'secret_refused',
      workspace: workspaceNamed(workspaceId),
      upstream: name,
      outcome: 'refused',
      errorClass: 'secret_unavailable',
      detail: { secrets, reason },
    });
  }

  async function putSecrets(
    id: string,
    transport: UpstreamTransport,
    values: Readonly<Record<string, string>>,
  ): Promise<string | null> {
    for (const [name, place] of secretPlaces(id, transport)) {
      const value = values[name];
      if (value === undefined) continue;
      const written = await vault.put(place, value);
      if (written.kind === 'unavailable') return written.reason;
    }
    return null;
  }

  const done = (id: string): UpstreamsResult => {
    const member = members.get(id);
    return member ? { kind: 'done', upstream: member.view() } : refused('There is no such upstream.');
  };

  return {
    list: (workspaceId) =>
      [...members.values()]
        .map((member) => member.view())
        .filter((view) => workspaceId === undefined || view.workspaceId === workspaceId)
        .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    get: (id) => members.get(id)?.view() ?? null,
    byName(workspaceId, name) {
      for (const member of members.values()) {
        const { definition } = member;
        if (definition().workspaceId === workspaceId && definition().name === name) return member.view();
      }
      return null;
    },

    async add({ workspaceId, name, transport, tags, secrets, settings: wanted = {} }) {
      const settings = changedSettings(usualSettings, wanted);
      const inForce = { ...limits, ...settings.limits };
      const reason = refuseDefinition(name, transport, tags) ?? refuseSettings(settings, inForce, transport);
      if (reason !== null) return refused(reason);
      const isTaken = () =>
        [...members.values()].some(
          (each) => each.definition().workspaceId === workspaceId && each.definition().name === name,
        );
      if (isTaken()) return refused(`There is an upstream ${name} already.`);
      const id = definitions.newId();
      const needed = secretPlaces(id, transport);
      const problem = refuseSecrets(transport, needed, secrets, () => false);
      if (problem !== null) return refused(problem);
      const unwritten = await putSecrets(id, transport, secrets);
      if (unwritten !== null) recordUnkept({ name, workspaceId }, [...needed.keys()], unwritten);
      // Another one of this name may have come while the keychain was asked.
      if (unwritten !== null || isTaken()) {
        vault.removeAll(`upstream/${id}/`);
        return refused(unwritten ?? `There is an upstream ${name} already.`);
      }
      definitions.insert({ id, workspaceId, name, transport, tags, settings });
      const definition: UpstreamDefinition = {
        id,
        workspaceId,
        name,
        transport,
        tags,
        enabled: true,
        settings,
        signIn: usualSignIn(transport),
        capabilities: {},
        resolvedCommand: null,
      };
      const member = take(definition);
      record(definition, 'upstream_added', { ...whatRuns(transport), secrets: [...needed.keys()] });
      if (parts.idle !== true) void member.start();
      return done(id);
    },

    async change(id, { transport: wanted, tags: wantedTags, secrets = {}, ...wantedSettings }) {
      const member = members.get(id);
      if (!member) return refused('There is no such upstream.');
      if (confirmed.lines(id) !== null) return refused(`${member.definition().name} was changed on disk. ${FIRST}`);
      const old = member.definition();
      const transport = wanted ?? old.transport;
      const signIn = isUsual(old.signIn, old.transport) ? usualSignIn(transport) : old.signIn;
      const tags = wantedTags ?? old.tags;
      const settings = changedSettings(old.settings, wantedSettings);
      const inForce = { ...limits, ...settings.limits };
      const reason = refuseDefinition(old.name, transport, tags) ?? refuseSettings(settings, inForce, transport);
      if (reason !== null) return refused(reason);
      const unfit = refuseSignIn(signIn, transport);
      if (unfit !== null) return refused(`${unfit} Change how accounts sign in at ${old.name} first.`);
      const places = secretPlaces(id, transport);
      const problem = refuseSecrets(transport, places, secrets, (place) => vault.has(place));
      if (problem !== null) return refused(problem);
      const unwritten = await putSecrets(id, transport, secrets);
      if (unwritten !== null) {
        recordUnkept(old, Object.keys(secrets), unwritten);
        return refused(unwritten);
      }
      const kept = new Set(places.values());
      const isNewCommand = endpointOf(transport) !== endpointOf(old.transport);
      const change = { transport, tags, settings, signIn, resolvedCommand: isNewCommand ? null : old.resolvedCommand };
      allOrNothing(() => {
        for (const place of secretPlaces(id, old.transport).values()) if (!kept.has(place)) vault.remove(place);
        definitions.update(id, change);
      });
      member.redefine({ ...old, ...change });
      record(old, 'upstream_changed', {
        ...(wanted === undefined ? {} : whatRuns(transport)),
        ...(wantedTags === undefined ? {} : { tags }),
        ...(JSON.stringify(settings) === JSON.stringify(old.settings) ? {} : { settings }),
        secrets: Object.keys(secrets),
      });
      tell(id);
      const isLimited = member.view().status === 'failed' && wantedSettings.limits !== undefined;
      const isReachedOtherwise =
        settings.allowPrivate !== old.settings.allowPrivate || settings.era !== old.settings.era;
      const isOther = wanted !== undefined || isLimited || isReachedOtherwise;
      if (parts.idle !== true && (isOther || Object.keys(secrets).length > 0)) void member.restart('if_wanted');
      return done(id);
    },

    async setSignIn(id, wanted, clientSecret) {
      const member = members.get(id);
      if (!member) return refused('There is no such upstream.');
      const old = member.definition();
      if (confirmed.lines(id) !== null) return refused(`${old.name} was changed on disk. ${FIRST}`);
      const place = clientSecretPlace(id);
      const keeps = clientSecret === undefined && vault.has(place) && isOneClient(wanted, old.signIn);
      const signIn =
        'clientSecret' in wanted ? { ...wanted, clientSecret: keeps || typeof clientSecret === 'string' } : wanted;
      const reason = refuseSignIn(signIn, old.transport);
      if (reason !== null) return refused(reason);
      if (typeof clientSecret === 'string') {
        const written = await vault.put(place, clientSecret);
        if (written.kind === 'unavailable') {
          recordUnkept(old, ['client secret'], written.reason);
          return refused(written.reason);
        }
      }
      allOrNothing(() => {
        const has = 'clientSecret' in signIn && signIn.clientSecret;
        if (!has) vault.remove(place);
        // One given anew is for the server at which it is used first.
        if (!has || typeof clientSecret === 'string') vault.remove(clientSecretIssuerPlace(id));
        definitions.update(id, { signIn });
      });
      const before = presents(id, null).connectionId;
      member.redefine({ ...member.definition(), signIn });
      record(old, 'upstream_sign_in_set', { mode: signIn.kind, clientSecret: typeof clientSecret === 'string' });
      tell(id);
      // Where nobody signs in any more calls go out as nobody, and as the account of before when that is set again.
      if (presents(id, null).connectionId !== before) void member.accountReplaced(before, parts.idle !== true);
      else if (parts.idle !== true) void member.restart('if_wanted');
      return done(id);
    },

    confirm(id) {
      const member = members.get(id);
      if (!member) return refused('There is no such upstream.');
      const { name } = member.definition();
      const runsAnew = confirmed.runsAnew(id);
      if (!confirmed.accept(id)) return refused(`${name} is not what was shown any more. Look at it again.`);
      if (runsAnew) {
        definitions.update(id, { resolvedCommand: null });
        member.redefine({ ...member.definition(), resolvedCommand: null });
      }
      record(member.definition(), 'upstream_confirmed', whatRuns(member.definition().transport));
      tell(id);
      if (parts.idle !== true && member.definition().enabled) void member.start();
      return done(id);
    },

    async remove(id) {
      const member = members.get(id);
      if (!member) return refused('There is no such upstream.');
      const last = member.view();
      allOrNothing(() => {
        definitions.remove(id);
        vault.removeAll(`upstream/${id}/`);
      });
      members.delete(id);
      await member.stop();
      inventory.forget(id);
      record(member.definition(), 'upstream_removed', {});
      tell(id);
      return { kind: 'done', upstream: { ...last, status: 'stopped', pid: null } };
    },

    async setEnabled(id, enabled) {
      const member = members.get(id);
      if (!member) return refused('There is no such upstream.');
      if (member.definition().enabled !== enabled) {
        definitions.update(id, { enabled });
        member.redefine({ ...member.definition(), enabled });
        record(member.definition(), enabled ? 'upstream_enabled' : 'upstream_disabled', {});
        tell(id);
      }
      if (enabled && parts.idle !== true) void member.start();
      else await member.stop();
      return done(id);
    },

    async refresh(id) {
      const member = members.get(id);
      if (!member) return refused('There is no such upstream.');
      if (!member.definition().enabled) return refused(`${member.definition().name} is disabled. Enable it first.`);
      await within(member.refresh(), clock, limits.startMs);
      const view = member.view();
      return view.reason === null ? done(id) : refused(view.reason);
    },

    async restart(id) {
      const member = members.get(id);
      if (!member) return refused('There is no such upstream.');
      if (!member.definition().enabled) return refused(`${member.definition().name} is disabled. Enable it first.`);
      await within(member.restart('always'), clock, limits.startMs);
      const { status, reason } = member.view();
      return status === 'failed' && reason !== null ? refused(reason) : done(id);
    },

    logs: (id) => members.get(id)?.logs() ?? [],
    async request(request) {
      return members.get(request.upstreamId)?.request(request) ?? REMOVED;
    },
    resources: (id) => members.get(id)?.resources() ?? [],
    capabilities: (id) => members.get(id)?.capabilities() ?? {},
    async subscribe(id, uri, sessionKey, connectionId) {
      return members.get(id)?.subscribe(uri, sessionKey, connectionId) ?? REMOVED;
    },
    async unsubscribe(id, uri, sessionKey) {
      return members.get(id)?.unsubscribe(uri, sessionKey) ?? REMOVED;
    },
    resubscribe: (id, uri, sessionKey, connectionId) => members.get(id)?.resubscribe(uri, sessionKey, connectionId),
    unavailable: (id, connectionId = null) => {
      const member = members.get(id);
      return member === undefined ? REMOVED : member.unavailable(connectionId);
    },
    definition: (id) => members.get(id)?.definition() ?? null,
    challengeOf: (id) => members.get(id)?.challenge() ?? null,
    accountReplaced: (id, connectionId) => {
      const member = members.get(id);
      if (member !== undefined) void member.accountReplaced(connectionId, parts.idle !== true);
    },
    subscribers: (id, uri, connectionId) => members.get(id)?.subscribers(uri, connectionId) ?? [],
    rootsChanged(sessionKey) {
      for (const member of members.values()) member.rootsChanged(sessionKey);
    },
    forgetSession(sessionKey) {
      for (const member of members.values()) member.forgetSession(sessionKey);
    },
    onNotice(listener) {
      noticeListeners.add(listener);
      return () => void noticeListeners.delete(listener);
    },
    load() {
      const loads = [...members.values()].map((member) => member.load());
      return {
        inFlight: loads.reduce((sum, load) => sum + load.inFlight, 0),
        queued: loads.reduce((sum, load) => sum + load.queued, 0),
      };
    },
    startAll() {
      isStopping = false;
      for (const member of members.values()) {
        const { id, settings } = member.definition();
        // One that was changed on disk says so at once, and not to the first call.
        if (settings.start === 'at_start' || confirmed.lines(id) !== null) void member.start();
      }
    },
    async stopAll() {
      isStopping = true;
      await Promise.all([...members.values()].map((member) => member.stop()));
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

const FIRST = 'Compare it with what you confirmed, and confirm or remove it first.';
const REMOVED: UpstreamOutcome = {
  kind: 'failed',
  errorClass: 'upstream_unreachable',
  message: 'The upstream was removed.',
};

/** A secret that was given for one client at one address goes along to no other. */
function isOneClient(a: SignIn, b: SignIn): boolean {
  return clientIdOf(a) === clientIdOf(b) && secretGoesTo(a) === secretGoesTo(b);
}

function clientIdOf(signIn: SignIn): string | null {
  return 'clientId' in signIn ? signIn.clientId : null;
}

function secretGoesTo(signIn: SignIn): string | null {
  if (signIn.kind === 'mcp_oauth') return signIn.issuer;
  return 'tokenUrl' in signIn ? signIn.tokenUrl : null;
}

function refused(message: string): UpstreamsResult {
  return { kind: 'refused', message };
}

function within(promise: Promise<void>, clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, resolve);
    void promise.then(() => {
      cancel();
      resolve();
    });
  });
}
