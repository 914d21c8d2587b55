import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import type { Topic } from '../../shared/model.ts';
import { type Api, createApi, type Handlers } from './api.ts';
import { createApprovals } from './approvals/approvals.ts';
import { type Approvers, createApprovers } from './approvals/approvers.ts';
import { createConfirmations } from './approvals/confirmations.ts';
import { createHeldResults } from './approvals/held-results.ts';
import { createTrusts } from './approvals/trusts.ts';
import type { AuditInput } from './audit/audit.ts';
import { openAudit } from './audit/open.ts';
import { createRetention } from './audit/retention.ts';
import { createAskClient } from './call/ask-client.ts';
import { createForesight } from './call/foresight.ts';
import { createResultHolding, type HeldEnding } from './call/hold-result.ts';
import { createRounds } from './call/rounds.ts';
import { type CallToolParts, callTool } from './call-tool.ts';
import { createCatalog } from './catalog/catalog.ts';
import { createExposure } from './catalog/exposure.ts';
import { createInventory } from './catalog/inventory.ts';
import { createResources, pageOf } from './catalog/resources.ts';
import { createArgumentCheck } from './catalog/validate-arguments.ts';
import { followChanges, type NewCard } from './changes.ts';
import { createClientSignIn } from './client-sign-in/client-sign-in.ts';
import { createClients } from './clients/clients.ts';
import { createPauses, pausedMessage } from './clients/pauses.ts';
import { refuseMetadataUrl } from './connections/client-id.ts';
import { openConnections } from './connections/open.ts';
import { PRESETS } from './connections/presets.ts';
import { type Log, openLog } from './diagnosis/log.ts';
import { whyNotListening } from './diagnosis/port-owner.ts';
import { type Gateway, listen } from './gateway/http.ts';
import type { McpServerParts } from './gateway/mcp-server.ts';
import { createRejections } from './gateway/rejections.ts';
import { createSessionStore } from './gateway/session-store.ts';
import { createSessions } from './gateway/sessions.ts';
import { createStateless } from './gateway/stateless.ts';
import { createHealth, withPatience } from './health.ts';
import { createNotes } from './notes.ts';
import type { Platform } from './platform.ts';
import { decide } from './policy/decide.ts';
import { createDismissals } from './policy/dismissals.ts';
import { createPolicies, starterPolicy } from './policy/policy.ts';
import { createRateLimits } from './policy/rate-limits.ts';
import { createShadows } from './policy/shadows.ts';
import { appRequests } from './requests/app.ts';
import { approvalRequests } from './requests/approvals.ts';
import { auditRequests } from './requests/audit.ts';
import { clientRequests } from './requests/clients.ts';
import { connectionRequests } from './requests/connections.ts';
import { figureRequests } from './requests/figures.ts';
import { pauseRequests } from './requests/pauses.ts';
import { policyRequests } from './requests/policy.ts';
import { replayRequests } from './requests/replay.ts';
import { secretNames, secretRequests } from './requests/secrets.ts';
import { shadowRequests } from './requests/shadows.ts';
import { sinkRequests } from './requests/sinks.ts';
import { suggestionRequests } from './requests/suggestions.ts';
import { toolRequests } from './requests/tools.ts';
import { trustRequests } from './requests/trusts.ts';
import { upstreamRequests } from './requests/upstreams.ts';
import { createWidening } from './requests/widening.ts';
import { MIGRATIONS, SEALED } from './schema.ts';
import { createSeals } from './seals/seals.ts';
import { masterKeyPath } from './secrets/master-key.ts';
import { createVault } from './secrets/vault.ts';
import { createSinks } from './sinks/sinks.ts';
import { faultOf } from './store/database.ts';
import { lockDataFolder } from './store/lock.ts';
import { openStore } from './store/store.ts';
import { createTopics } from './topics.ts';
import { createConfirmed } from './upstreams/confirmed.ts';
import { createLoginPath } from './upstreams/login-path.ts';
import { createUpstreams } from './upstreams/upstreams.ts';

export interface CoreOptions {
  /** 0 takes any free port. */
  readonly port: number;
  readonly version: string;
  /** `GATEHOUSE_UNATTENDED=1` at start: widening acts from the CLI need no confirmation; shown as a banner and audited. */
  readonly unattended: boolean;
  /** False: open the data folder for one CLI command while no app runs: no listener, no upstream is started. */
  readonly listen: boolean;
  /** A file only this user can read takes the keychain's place, null is none; left out: what GATEHOUSE_MASTER_KEY_FILE says. */
  readonly masterKeyFile?: string | null;
}

export interface Core {
  readonly mode: 'desktop' | 'headless';
  /** 0 when not listening. */
  readonly port: number;
  /** `http://127.0.0.1:<port>/mcp` */
  readonly endpoint: string;
  readonly api: Api;
  readonly approvers: Approvers;
  /** Told of what changed; listeners ask again by `api`. */
  subscribe(listener: (topic: Topic) => void): () => void;
  /** Each new approval card, and each new confirmation: for notification and approval window. */
  onCard(listener: (card: NewCard) => void): () => void;
  /** Headless: where `/open/<page>` leads and what mints one-time links. */
  setDashboard(dashboard: { readonly url: string; link(): string } | null): void;
  /** Records what happened at the dashboard's port; a flood of refusals is counted, not written one by one. */
  record(entry: AuditInput): void;
  /** Desktop: what a click on `/open/<page>` does; `connections/<upstream>` is a page as well. */
  onOpenPage(listener: (page: string) => void): () => void;
  readonly log: Log;
  close(): Promise<void>;
}

/** Why it did not start: one sentence for a person that says what to do. Exit code 1. */
export type StartFault = {
  readonly kind: 'fault';
  readonly code:
    | 'port_taken'
    | 'data_folder'
    | 'database_newer'
    | 'database_broken'
    | 'already_running'
    | 'environment';
  readonly message: string;
};

export type StartCore = (
  platform: Platform,
  options: CoreOptions,
) => Promise<{ readonly kind: 'started'; readonly core: Core } | StartFault>;

/** Listen streams of one client (the HTTP layer bounds them per key as well). */
const MAX_SUBSCRIPTIONS = 64;

/** Builds every part once, in order, and takes each down again in the opposite order. */
export const startCore: StartCore = async (platform, options) => {
  const opened: (() => unknown)[] = [];
  try {
    return await build(platform, options, opened);
  } catch (error) {
    // A disk that fills up while we start; whatever is no fault of disk or database is a bug.
    const path = error instanceof Error && 'path' in error ? String(error.path) : join(platform.dataFolder, 'state.db');
    const fault = faultOf(error, path);
    if (fault === null) throw error;
    for (const close of opened.toReversed()) await close();
    return { kind: 'fault', code: 'data_folder', message: fault.message };
  }
};

/** `opened` gets what takes down each part that is not garbage by itself. */
async function build(platform: Platform, options: CoreOptions, opened: (() => unknown)[]): ReturnType<StartCore> {
  const { clock, dataFolder, keychain } = platform;

  const keyFile = masterKeyPath(options.masterKeyFile, process.env);
  if (keyFile.kind === 'fault') return { kind: 'fault', code: 'environment', message: keyFile.message };

  const metadataUrl = process.env.GATEHOUSE_CLIENT_METADATA_URL || null;
  const unfit = metadataUrl === null ? null : refuseMetadataUrl(metadataUrl);
  if (unfit !== null) return { kind: 'fault', code: 'environment', message: unfit };

  const lock = lockDataFolder(dataFolder);
  if (lock.kind === 'not_writable') return { kind: 'fault', code: 'data_folder', message: lock.message };
  if (lock.kind === 'taken') {
    const who = lock.pid === null ? '' : ` (process ${lock.pid})`;
    return {
      kind: 'fault',
      code: 'already_running',
      message: `Gatehouse already runs with the data folder ${dataFolder}${who}. Use that one, or start with another --data folder.`,
    };
  }

  const { release } = lock;
  opened.push(release);

  const storeOpened = openStore({ path: join(dataFolder, 'state.db'), migrations: MIGRATIONS, clock });
  if (storeOpened.kind !== 'opened') {
    release();
    return {
      kind: 'fault',
      code: storeOpened.kind === 'newer' ? 'database_newer' : 'database_broken',
      message: storeOpened.message,
    };
  }
  const { store } = storeOpened;
  const { db } = store;
  opened.push(store.close);
  const log = openLog({ folder: dataFolder, clock });
  opened.push(log.close);

  const auditOpened = await openAudit({ folder: dataFolder, clock, keychain, version: options.version, log });
  if (auditOpened.kind !== 'opened') {
    log.close();
    store.close();
    release();
    return {
      kind: 'fault',
      code: auditOpened.kind === 'newer' ? 'database_newer' : 'database_broken',
      message: auditOpened.message,
    };
  }
  opened.push(auditOpened.audit.close);
  const topics = createTopics(clock);
  const audit = topics.watchAudit(auditOpened.audit);
  if (storeOpened.setAside !== null) {
    const detail = { keptAs: basename(storeOpened.setAside), why: 'the settings database was damaged' };
    audit.writeSoon({ phase: 'event', kind: 'settings_set_aside', detail });
  }

  const vault = createVault({ db, clock, keychain, masterKeyFile: keyFile.path });
  const seals = createSeals({ db, clock, vault, keychain, folder: dataFolder, tables: SEALED });
  // A keychain that asks for its password answers when the person does; until then no upstream starts.
  await withPatience(seals.check(), clock);
  seals.loaded();
  const sinks = createSinks({
    db,
    clock,
    vault,
    seals,
    audit,
    log,
    folder: dataFolder,
    machine: hostname(),
    version: options.version,
    deliver: options.listen,
  });
  opened.push(sinks.close);
  const clients = createClients({ db, clock });
  const pauses = createPauses({ db, clock });
  const policies = createPolicies({ db, clock });
  const shadows = createShadows({ db, clock });
  const approvers = createApprovers();
  const approvals = createApprovals({
    db,
    clock,
    approvers,
    connectionLabel: (id) => connections.get(id)?.label ?? null,
  });
  const results = createHeldResults<HeldEnding>({ db, clock, approvers });
  const trusts = createTrusts({ clock, approvers });
  const confirmations = createConfirmations({ clock, approvers });
  const inventory = createInventory({ db, clock, upstreamName: (id) => upstreams.get(id) });
  const upstreams = createUpstreams({
    db,
    clock,
    vault,
    inventory,
    log,
    audit,
    workspaceName: clients.workspaceName,
    confirmed: createConfirmed(seals),
    credentialsFor: (upstreamId, connectionId) => connections.credentialsFor(upstreamId, connectionId),
    version: options.version,
    idle: !options.listen,
    ...(platform.mode === 'desktop' ? { loginPath: createLoginPath({ environment: process.env, clock }) } : {}),
  });
  const { connections, signIns, forgetUpstream } = openConnections({
    db,
    clock,
    vault,
    audit,
    log,
    upstreams,
    workspaceName: clients.workspaceName,
    running: options.listen,
    version: options.version,
    metadataUrl,
  });
  const catalog = createCatalog({ inventory, upstreams });
  const resources = createResources({
    catalog,
    upstreams,
    pages: (upstreamId) => inventory.tools(upstreamId).map(({ reviewed }) => pageOf(reviewed)),
    isReviewed: (upstreamId) =>
      (['tool', 'prompt', 'resource_template'] as const).some((kind) =>
        inventory.tools(upstreamId, kind).some((entry) => entry.reviewed !== null),
      ),
  });
  const rateLimits = createRateLimits({ clock });
  const rounds = createRounds({
    upstreams,
    clock,
    askClient: createAskClient({ policies, decide, approvals, pauses, audit, rateLimits, clock }),
  });

  let gateway: Gateway | null = null;
  let dashboard: { readonly url: string; link(): string } | null = null;
  const openPageListeners = new Set<(page: string) => void>();
  const cardListeners = new Set<(card: NewCard) => void>();
  const port = () => gateway?.port ?? 0;
  const origin = () => `http://127.0.0.1:${port() === 0 ? options.port : port()}`;
  const endpoint = () => `${origin()}/mcp`;

  const { foresee, neverAllowed } = createForesight({ clients, policies, connections, clock });
  const exposure = createExposure({
    db,
    clock,
    whole(client) {
      const isDenied = neverAllowed(client);
      return catalog
        .listed({ ...client, scopeTags: ['*'] }, [], (tool, upstream) => isDenied({ tool, upstream }))
        .map(({ definition }) => definition);
    },
  });

  const callParts: CallToolParts = {
    catalog,
    inventory,
    checkArguments: createArgumentCheck(),
    checkOutput: createArgumentCheck(({ outputSchema }) => outputSchema),
    policies,
    decide,
    shadows,
    approvals,
    trusts,
    clients,
    pauses,
    audit,
    resources,
    connections,
    signIns,
    rounds,
    rateLimits,
    results: createResultHolding(results),
    upstreams,
    clock,
    log,
  };
  const serverParts: McpServerParts = {
    version: options.version,
    catalog,
    resources,
    upstreams,
    connections,
    foresee,
    notesFor(client) {
      const paused = pauses.pausedFor(client.id);
      return paused === null ? [] : [`Calls are refused now. ${pausedMessage(paused)}`];
    },
    neverAllowed,
    exposure,
    pins: { get: clients.pins, set: clients.setPins },
    listChanged: (clientId) => tellListChanged(clientId),
    callTool: (call) => callTool(callParts, call),
    callsItself: clients.introduced,
    log,
    origin,
  };
  const sessions = createSessions({ ...serverParts, clock, sessionStore: createSessionStore({ db, clock }) });
  const stateless = createStateless(serverParts, MAX_SUBSCRIPTIONS);
  const rejections = createRejections({ audit, clock, log });
  const clientSignIn = createClientSignIn({
    db,
    clock,
    vault,
    clients,
    confirmations,
    upstreamNames: (workspaceId) =>
      upstreams.list().flatMap((upstream) => (upstream.workspaceId === workspaceId ? [upstream.name] : [])),
    audit,
    log,
    port,
  });

  function tellListChanged(clientId: string | null): void {
    sessions.listChanged(clientId);
    stateless.listChanged(clientId);
  }

  const notes = createNotes({
    dataFolder,
    clock,
    audit,
    problem: auditOpened.problem,
    changed: () => topics.tell('status'),
  });
  notes.found(seals.mended());
  // The whole log is checked in the background; what it finds shows as a banner.
  void auditOpened.verified.then(notes.verified);
  vault.onChange((kind) => {
    if (kind === 'ready') audit.keychainOpened();
    topics.tell('status');
  });
  const nameOfSecret = secretNames({ upstreams, connections, sinks });
  const health = createHealth({
    version: options.version,
    platform,
    unattended: options.unattended,
    upstreams,
    connections,
    audit,
    vault,
    approvals,
    results,
    pauses,
    trusts,
    clients,
    sinks,
    endpoint,
    secretNames: () => vault.places().map(nameOfSecret),
    admission: () => gateway?.admission ?? null,
    notes: notes.all,
  });

  const retention = createRetention({ db, clock, audit, log, running: options.listen });
  const widening = createWidening({ confirmations, audit, unattended: options.unattended, running: options.listen });
  const handlers: Handlers = {
    ...appRequests({ status: health.status, endpoint, approvers, dashboard: () => dashboard, widening, clientSignIn }),
    ...clientRequests({ clients, audit, clock, widening, workspaceCreated: (id) => policies.set(id, starterPolicy) }),
    ...upstreamRequests({ upstreams, approvals, clients, widening }),
    ...connectionRequests({
      connections,
      signIns,
      upstreams,
      clients,
      widening,
      openBrowser: platform.openBrowser,
      presets: PRESETS,
    }),
    ...toolRequests({ inventory, approvals, catalog, connections, upstreams, clients, audit, foresee, widening }),
    ...policyRequests({ policies, clients, upstreams, catalog, connections, audit, clock, widening }),
    ...replayRequests({ policies, clients, audit, clock }),
    ...shadowRequests({ policies, shadows, clients, audit, clock }),
    ...suggestionRequests({
      policies,
      dismissals: createDismissals({ db, clock }),
      clients,
      audit,
      clock,
      widening,
    }),
    ...pauseRequests({ pauses, clients, audit, widening }),
    ...trustRequests({ trusts, clients, audit, widening, running: options.listen }),
    ...approvalRequests({ approvals, results, confirmations, pauses, audit }),
    ...figureRequests({ audit, exposure, clients }),
    ...auditRequests({ audit, policies, clients, retention, widening }),
    ...sinkRequests({ sinks, audit, widening }),
    ...secretRequests({
      vault,
      seals,
      audit,
      widening,
      nameOf: nameOfSecret,
      begun() {
        topics.tell('status');
        for (const { id, enabled, status } of upstreams.list())
          if (enabled && status === 'failed') void upstreams.restart(id);
      },
    }),
  };
  const api = createApi(handlers, { log, databasePath: join(dataFolder, 'state.db') });

  followChanges({
    platform,
    topics,
    audit,
    clients,
    pauses,
    policies,
    shadows,
    approvers,
    approvals,
    results,
    trusts,
    confirmations,
    clientSignIn,
    inventory,
    upstreams,
    connections,
    signIns,
    forgetSignIn: forgetUpstream,
    rounds,
    sinks,
    sessions,
    stateless,
    showCard(card) {
      for (const listener of cardListeners) listener(card);
    },
  });

  // They were in memory alone when Gatehouse was ended by force: the calls ran, and nobody will get these results.
  for (const { id: approval, ...lost } of results.lost) {
    audit.writeSoon({ phase: 'event', kind: 'result_lost', outcome: 'withheld', ...lost, detail: { approval } });
  }
  await firstStart();
  if (options.listen) {
    const listening = await listen(
      {
        clients: {
          ...clients,
          authenticate(header, workspaceSlug) {
            // Keys and clients are read from the file each time: first whatever another program did to it is taken back.
            notes.found(seals.look());
            return clients.authenticate(header, workspaceSlug);
          },
          authenticateKey(keyId, workspaceSlug) {
            notes.found(seals.look());
            return clients.authenticateKey(keyId, workspaceSlug);
          },
        },
        signIn: clientSignIn,
        sessions,
        stateless,
        rejections,
        health: health.answer,
        open: {
          dashboardUrl: () => dashboard?.url ?? null,
          focus: (page) => openPageListeners.forEach((listener) => void listener(page)),
        },
        clock,
        log,
      },
      options.port,
    );
    if (listening.kind !== 'listening') {
      log.error('not_started', { port: options.port, why: listening.kind });
      await shutDown();
      return {
        kind: 'fault',
        code: 'port_taken',
        message: await whyNotListening(options.port, listening.kind === 'refused' ? listening.reason : null),
      };
    }
    gateway = listening.gateway;
    upstreams.startAll();
    audit.writeSoon({
      phase: 'event',
      kind: 'app_started',
      detail: { version: options.version, mode: platform.mode, port: gateway.port, unattended: options.unattended },
    });
    log.info('started', { port: gateway.port, mode: platform.mode, version: options.version });
  }

  /** The starter policy and the demo upstream: a new user sees every path in two minutes. */
  async function firstStart(): Promise<void> {
    const workspace = clients.defaultWorkspace();
    const { policy, problem } = policies.get(workspace.id);
    if (policy !== null || problem !== null || upstreams.list().length > 0) return;
    policies.set(workspace.id, starterPolicy);
    const added = await upstreams.add({
      workspaceId: workspace.id,
      name: 'demo',
      transport: { kind: 'demo' },
      tags: ['demo'],
      secrets: {},
    });
    if (added.kind === 'refused') throw new Error(`the demo upstream was not added: ${added.message}`);
  }

  async function shutDown(): Promise<void> {
    await gateway?.close();
    rounds.close();
    await sessions.close();
    await stateless.close();
    rejections.close();
    health.close();
    retention.close();
    signIns.close();
    await upstreams.stopAll();
    connections.close();
    trusts.close();
    results.close();
    if (gateway !== null) audit.writeSoon({ phase: 'event', kind: 'app_stopped', detail: {} });
    await exposure.close();
    await sinks.close();
    await audit.close();
    topics.close();
    if (gateway !== null) log.info('stopped');
    log.close();
    await seals.settle();
    store.close();
    release();
  }

  let closing: Promise<void> | null = null;
  return {
    kind: 'started',
    core: {
      mode: platform.mode,
      port: port(),
      endpoint: endpoint(),
      api,
      approvers,
      subscribe: topics.subscribe,
      onCard(listener) {
        cardListeners.add(listener);
        return () => cardListeners.delete(listener);
      },
      setDashboard(now) {
        dashboard = now;
      },
      record(entry) {
        if (entry.outcome === 'refused') rejections.recordEntry(entry);
        else audit.writeSoon(entry);
      },
      onOpenPage(listener) {
        openPageListeners.add(listener);
        return () => openPageListeners.delete(listener);
      },
      log,
      close() {
        closing ??= shutDown();
        return closing;
      },
    },
  };
}
