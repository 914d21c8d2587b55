import type { UpstreamView } from '../../../shared/model.ts';
import type { Inventory, Tool } from '../catalog/inventory.ts';
import type { Written } from '../exact-text.ts';
import type { Failure } from './channel.ts';
import { type ConnectingParts, connectUpstream } from './connecting.ts';
import type { Credentials, CredentialsFor } from './credentials.ts';
import { endpointOf, type UpstreamDefinition } from './definitions.ts';
import { demoRisks } from './demo.ts';
import type { UpstreamLimits } from './limits.ts';
import type { Listed } from './listing.ts';
import { createLives } from './lives.ts';
import { createCallQueue } from './queue.ts';
import type { UpstreamOutcome, UpstreamRequest } from './request.ts';
import { settable } from './settings.ts';
import { createShownLines, type ShownLines } from './shown-lines.ts';
import { createSupervisor, type Supervisor } from './supervisor.ts';

/** One upstream: its definition, its life, its queue and what is known of it. */
export interface Member {
  definition(): UpstreamDefinition;
  redefine(definition: UpstreamDefinition): void;
  view(): UpstreamView;
  logs(): readonly string[];
  load(): { readonly inFlight: number; readonly queued: number };
  request(request: UpstreamRequest): Promise<UpstreamOutcome>;
  /** How every request ends until a person does something about it; null: it may work. */
  unavailable(connectionId: string | null): UpstreamOutcome | null;
  /** Of its last 401. */
  challenge(): string | null;
  /** Somebody else stands behind the account; null: another one is the default. Lists again where `mayStart`. */
  accountReplaced(connectionId: string | null, mayStart: boolean): Promise<void>;
  resources(): readonly Readonly<Record<string, unknown>>[];
  capabilities(): Readonly<Record<string, unknown>>;
  subscribe(uri: string, sessionKey: string, connectionId: string | null): Promise<UpstreamOutcome>;
  unsubscribe(uri: string, sessionKey: string): Promise<UpstreamOutcome>;
  resubscribe(uri: string, sessionKey: string, connectionId: string | null): void;
  subscribers(uri: string, connectionId: string | null): readonly string[];
  rootsChanged(sessionKey: string): void;
  forgetSession(sessionKey: string): void;
  start(): Promise<void>;
  /** Whatever runs of it is ended; it is started anew if it was wanted, or in any case. */
  restart(when: 'if_wanted' | 'always'): Promise<void>;
  refresh(): Promise<void>;
  stop(): Promise<void>;
}

type OfOneLife = 'definition' | 'showLines' | 'lines' | 'schemas' | 'credentials' | 'noteChallenge';

export interface MemberParts extends Omit<ConnectingParts, OfOneLife> {
  readonly inventory: Inventory;
  readonly credentialsFor: CredentialsFor;
  mayStart(): boolean;
  /** What it means that something could not be written down; throws what is a bug. */
  unsaved(error: unknown): Failure;
  changed(): void;
  noteCapabilities(capabilities: Readonly<Record<string, unknown>>): void;
  notice(method: string, params: Written, sessionKey: string | null, connectionId: string | null): void;
}

export function createMember(initial: UpstreamDefinition, parts: MemberParts): Member {
  const { inventory } = parts;
  const { id, name } = initial;
  let definition = initial;
  /** Everybody holds this one object: what is set anew is in force for the next call. */
  const limits: UpstreamLimits = { ...parts.limits, ...initial.settings.limits };
  let resources: readonly Readonly<Record<string, unknown>>[] = [];
  let leftOut: readonly string[] = [];
  let challenge: string | null = null;
  const queue = createCallQueue(limits);
  /** Sessions that subscribed as an account of their client's own choice: another default is nothing to them. */
  const choosers = new Set<string>();
  const lives = createLives(id, parts.credentialsFor, createLife, (sessionKey) => !choosers.has(sessionKey));
  const main = () => lives.main().supervisor;
  const lines = new Map<Supervisor, ShownLines>();

  function createLife(life: { readonly credentials: Credentials; isMain(): boolean }): Supervisor {
    const written = createShownLines();
    const connecting: ConnectingParts = {
      ...parts,
      limits,
      credentials: life.credentials,
      schemas: new Map(),
      definition: () => definition,
      lines: written.now,
      showLines: written.show,
      noteCommand(path) {
        definition = { ...definition, resolvedCommand: path };
        parts.noteCommand(path);
      },
      noteChallenge(found) {
        challenge = found;
      },
    };
    const supervisor = createSupervisor({
      ...parts,
      limits,
      name,
      isPerClient: () => definition.settings.share === 'per_client',
      isSetModern: () => definition.settings.era === 'modern',
      idleStopMs: () => definition.settings.idleStopMs,
      connect: (signal, events, how) => connectUpstream(connecting, signal, events, how).catch(parts.unsaved),
      readAhead,
      notice: (method, params, sessionKey) => parts.notice(method, params, sessionKey, life.credentials.connectionId),
      // What another account sees of it is not what was reviewed.
      takeIn: (listed, isFirst) => (life.isMain() ? takeIn(listed, isFirst) : null),
    });
    lines.set(supervisor, written);
    return supervisor;
  }

  async function readAhead({ tools, prompts, templates }: Listed): Promise<void> {
    const endpoint = endpointOf(definition.transport);
    await inventory.readAhead(endpoint, tools, 'tool');
    await inventory.readAhead(endpoint, prompts, 'prompt');
    await inventory.readAhead(endpoint, templates, 'resource_template');
  }

  function takeIn(listed: Listed, isFirst: boolean): Failure | null {
    try {
      takeAllIn(listed, isFirst);
      return null;
    } catch (error) {
      return parts.unsaved(error);
    }
  }

  function takeAllIn(listed: Listed, isFirst: boolean): void {
    const before = inventory.tools(id);
    const endpoint = endpointOf(definition.transport);
    const problems = [
      ...inventory.takeIn(id, endpoint, listed.tools).problems,
      ...inventory.takeIn(id, endpoint, listed.prompts, 'prompt').problems,
      ...inventory.takeIn(id, endpoint, listed.templates, 'resource_template').problems,
    ];
    leftOut = problems.length > MOST_LEFT_OUT ? [...problems.slice(0, MOST_LEFT_OUT), more(problems)] : problems;
    resources = listed.resources;
    if (isFirst) noteCapabilities();
    // What a fresh demo lists is this program's own code; what it changes later waits for review like any other.
    if (isFirst && definition.transport.kind === 'demo') inventory.acceptBuiltIn(id, demoRisks);
    const names = changedNames(before, inventory.tools(id));
    if (before.length > 0 && names.length > 0)
      parts.record('definition_changed', { tools: names.slice(0, MOST_NAMES) });
    if (problems.length > 0) parts.log.warn('upstream_tools_left_out', { upstream: name, count: problems.length });
    parts.changed();
  }

  function noteCapabilities(): void {
    const capabilities = main().capabilities();
    if (JSON.stringify(capabilities) === JSON.stringify(definition.capabilities)) return;
    definition = { ...definition, capabilities };
    parts.noteCapabilities(capabilities);
  }

  function shownLines(): readonly string[] {
    return lines.get(main())?.all(main().state().status === 'ready') ?? [];
  }

  return {
    definition: () => definition,
    redefine(next) {
      // What another address said is not about this one.
      if (endpointOf(next.transport) !== endpointOf(definition.transport)) challenge = null;
      definition = next;
      Object.assign(limits, parts.limits, next.settings.limits);
      for (const life of lives.all()) life.supervisor.idleStopChanged();
    },
    view() {
      const { status, reason, ...state } = main().state();
      const { workspaceId, transport, tags, enabled, settings, signIn, resolvedCommand } = definition;
      const rests = status === 'stopped' && (settings.start === 'on_demand' || settings.idleStopMs !== null);
      const tools = inventory.tools(id).filter((tool) => tool.state !== 'gone');
      return {
        id,
        workspaceId,
        name,
        transport,
        tags,
        enabled,
        settings,
        signIn,
        limits: settable(limits),
        resolvedCommand,
        toConfirm: parts.confirmed.lines(id),
        ...state,
        needsSignIn: state.needsSignIn || lives.missing(null)?.errorClass === 'auth_required',
        status: enabled ? status : 'disabled',
        reason: enabled ? (rests ? RESTS : reason) : null,
        toolCount: tools.length,
        awaitingReview: tools.filter((tool) => tool.state !== 'reviewed').length,
        leftOut,
        lastStderr: shownLines().slice(-SHOWN_LINES),
      };
    },
    logs: shownLines,
    load: queue.load,
    resources: () => resources,
    capabilities: () => definition.capabilities,
    subscribe(uri, sessionKey, connectionId) {
      if (connectionId !== null) choosers.add(sessionKey);
      return lives.of(connectionId).supervisor.subscribe(uri, sessionKey);
    },
    async unsubscribe(uri, sessionKey) {
      const outcomes = await Promise.all(lives.all().map((life) => life.supervisor.unsubscribe(uri, sessionKey)));
      return outcomes.find(({ kind }) => kind !== 'answered') ?? outcomes[0] ?? unreachable(`${name} is not running.`);
    },
    resubscribe(uri, sessionKey, connectionId) {
      if (connectionId !== null) choosers.add(sessionKey);
      lives.of(connectionId).supervisor.resubscribe(uri, sessionKey);
    },
    unavailable(connectionId) {
      if (!definition.enabled) return unreachable(`${name} is disabled.`);
      const missing = lives.missing(connectionId);
      if (missing !== null) return { kind: 'failed', errorClass: missing.errorClass, message: missing.message };
      return lives.of(connectionId).supervisor.finallyFailed();
    },
    challenge: () => challenge,
    async accountReplaced(connectionId, mayStart) {
      await lives.replaced(connectionId);
      parts.changed();
      if (mayStart && definition.enabled) await main().refresh();
    },
    subscribers(uri, connectionId) {
      const life = lives.all().find(({ credentials }) => credentials.connectionId === connectionId);
      return life?.supervisor.subscribers(uri) ?? [];
    },
    rootsChanged(sessionKey) {
      for (const life of lives.all()) life.supervisor.rootsChanged(sessionKey);
    },
    forgetSession(sessionKey) {
      choosers.delete(sessionKey);
      for (const life of lives.all()) life.supervisor.forgetSession(sessionKey);
    },
    async request(call) {
      if (!definition.enabled) return unreachable(`${name} is disabled.`);
      const entered = await queue.enter(call.signal);
      if (entered.kind === 'left') return { kind: 'cancelled' };
      if (entered.kind === 'full') {
        const message = `${name} has ${limits.inFlight} calls in flight and ${limits.queued} waiting already, its limits.`;
        return { kind: 'failed', errorClass: 'upstream_busy', message };
      }
      try {
        return await lives.of(call.connectionId).supervisor.request(call);
      } finally {
        entered.release();
      }
    },
    start: () => main().start(),
    async restart(when) {
      const { status } = main().state();
      if (status === 'failed' && when === 'always') definition = { ...definition, resolvedCommand: null };
      await Promise.all(lives.all().map((life) => life.supervisor.stop()));
      if (status !== 'stopped' || when === 'always') await main().refresh();
    },
    async refresh() {
      // A person asks for a new start: whatever the command resolves to now is what shall run.
      if (main().state().status === 'failed') definition = { ...definition, resolvedCommand: null };
      await main().refresh();
    },
    async stop() {
      await Promise.all(lives.all().map((life) => life.supervisor.stop()));
    },
  };
}

function unreachable(message: string): UpstreamOutcome {
  return { kind: 'failed', errorClass: 'upstream_unreachable', message };
}

function changedNames(before: readonly Tool[], after: readonly Tool[]): readonly string[] {
  const known = new Map(before.map((tool) => [tool.name, JSON.stringify([tool.state, tool.offered])]));
  return after.flatMap((tool) =>
    known.get(tool.name) === JSON.stringify([tool.state, tool.offered]) ? [] : [tool.name],
  );
}

const RESTS = 'It starts with the next call.';
const SHOWN_LINES = 5;
const MOST_NAMES = 50;
const MOST_LEFT_OUT = 20;
const more = (problems: readonly string[]): string => `Left out: ${problems.length - MOST_LEFT_OUT} more.`;
