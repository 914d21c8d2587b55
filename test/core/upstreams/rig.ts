import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import type { LookupFunction } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { onTestFinished } from 'vitest';
import type { AuditInput } from '../../../electron/core/audit/audit.ts';
import type { Inventory, Tool } from '../../../electron/core/catalog/inventory.ts';
import { type Log, silentLog } from '../../../electron/core/diagnosis/log.ts';
import { type Clock, systemClock } from '../../../electron/core/platform.ts';
import type { Vault } from '../../../electron/core/secrets/vault.ts';
import type { CredentialsFor } from '../../../electron/core/upstreams/credentials.ts';
import type { Environment } from '../../../electron/core/upstreams/environment.ts';
import type { UpstreamLimits } from '../../../electron/core/upstreams/limits.ts';
import type { UpstreamOutcome, UpstreamRequest } from '../../../electron/core/upstreams/request.ts';
import type { SettingsChange } from '../../../electron/core/upstreams/settings.ts';
import {
  createUpstreams,
  type Upstreams,
  upstreamSignInSchema,
  upstreamsSchema,
} from '../../../electron/core/upstreams/upstreams.ts';
import type { UpstreamTransport, UpstreamView } from '../../../shared/model.ts';
import { jsonLines } from '../../support/lines.ts';

const SUPPORT = new URL('../../support/', import.meta.url).pathname;
export const NODE = process.execPath;
export const PACKAGES = new URL('../../../node_modules/', import.meta.url).pathname;

export interface Recorded {
  readonly at: number;
  readonly pid: number;
  readonly kind: string;
  readonly raw?: string;
  readonly child?: number;
  readonly argv?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly method?: string;
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export type More = Partial<UpstreamRequest> & { readonly clientId?: string };

export interface Rig {
  readonly upstreams: Upstreams;
  readonly db: Database.Database;
  readonly inventory: StandInInventory;
  readonly vault: Vault & { readonly values: Map<string, string> };
  readonly events: readonly AuditInput[];
  readonly folder: string;
  add(
    name: string,
    transport: UpstreamTransport,
    secrets?: Readonly<Record<string, string>>,
    settings?: SettingsChange,
  ): Promise<UpstreamView>;
  addReady(
    name: string,
    transport: UpstreamTransport,
    secrets?: Readonly<Record<string, string>>,
    settings?: SettingsChange,
  ): Promise<UpstreamView>;
  call(id: string, tool: string, argumentsText?: string, more?: More): Promise<UpstreamOutcome>;
  until(id: string, status: UpstreamView['status'], ms?: number): Promise<UpstreamView>;
}

/** Real upstreams over a real database; vault, inventory and audit are small stand-ins behind their interfaces. */
export function rig(
  options: {
    readonly limits?: Partial<UpstreamLimits>;
    readonly clock?: Clock;
    readonly environment?: Environment;
    readonly loginPath?: () => Promise<string | undefined>;
    readonly lookup?: LookupFunction;
    readonly db?: Database.Database;
    readonly vaultReason?: string;
    readonly log?: Log;
    readonly credentialsFor?: CredentialsFor;
    /** In place of the stand-in. */
    readonly vault?: Vault;
  } = {},
): Rig {
  const db = options.db ?? new Database(':memory:');
  if (!options.db) db.exec(`${upstreamsSchema};${upstreamSignInSchema}`);
  const events: AuditInput[] = [];
  const inventory = standInInventory();
  const vault = (options.vault ?? standInVault(options.vaultReason ?? null)) as Rig['vault'];
  const upstreams = createUpstreams({
    db,
    clock: options.clock ?? systemClock,
    vault,
    inventory,
    log: options.log ?? silentLog,
    audit: { writeSoon: (entry) => void events.push(entry) },
    limits: { backoffMs: 20, graceMs: 300, ...options.limits },
    ...(options.environment ? { environment: options.environment } : {}),
    ...(options.loginPath ? { loginPath: options.loginPath } : {}),
    ...(options.lookup ? { lookup: options.lookup } : {}),
    ...(options.credentialsFor ? { credentialsFor: options.credentialsFor } : {}),
  });
  onTestFinished(() => upstreams.stopAll());
  const until = (id: string, status: UpstreamView['status'], ms = 20_000) =>
    waitFor(
      () => (upstreams.get(id)?.status === status ? upstreams.get(id) : null),
      `${status}`,
      ms,
      () => upstreams.get(id),
    );
  const add: Rig['add'] = async (name, transport, secrets = {}, settings = {}) => {
    const added = await upstreams.add({ workspaceId: 'w', name, transport, tags: [], secrets, settings });
    if (added.kind === 'refused') throw new Error(added.message);
    return added.upstream;
  };
  return {
    upstreams,
    db,
    inventory,
    vault,
    events,
    folder: newFolder(),
    add,
    until,
    async addReady(name, transport, secrets, settings) {
      const { id } = await add(name, transport, secrets, settings);
      return until(id, 'ready');
    },
    call: (id, tool, argumentsText = '{}', { clientId = 'c', ...more } = {}) =>
      upstreams.request({
        requestId: 'r',
        upstreamId: id,
        connectionId: null,
        method: 'tools/call',
        params: { name: tool },
        argumentsText,
        metaText: '{}',
        moreText: '{}',
        caller: { clientId, sessionKey: clientId, era: 'modern', capabilities: {}, logLevel: null },
        round: null,
        signal: new AbortController().signal,
        onProgress() {},
        onNotification() {},
        ask: async () => ({ kind: 'error', code: -32601, message: 'Method not found' }),
        ...more,
      }),
  };
}

export function newFolder(): string {
  return mkdtempSync(join(tmpdir(), 'upstreams-'));
}

/** The recorder as a stdio upstream; words go to its command line. */
export function stdioRecorder(file: string, ...words: readonly string[]): UpstreamTransport {
  return {
    kind: 'stdio',
    command: NODE,
    args: [`${SUPPORT}recorder-stdio.mjs`, file, ...words],
    secretEnv: [],
    cwd: null,
  };
}

export interface HttpRecorder {
  readonly url: string;
  readonly transport: UpstreamTransport;
  readonly port: number;
  stop(): Promise<void>;
}

export async function httpRecorder(file: string, ...words: readonly string[]): Promise<HttpRecorder> {
  const child = spawn(NODE, [`${SUPPORT}recorder-http.mjs`, file, ...words], { stdio: ['pipe', 'pipe', 'inherit'] });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  onTestFinished(() => void child.stdin.end());
  const line = await new Promise<string>((resolve) => child.stdout.once('data', (chunk) => resolve(String(chunk))));
  const { url, port } = JSON.parse(line) as { url: string; port: number };
  return {
    url,
    port,
    transport: { kind: 'http', url, secretHeaders: [] },
    async stop() {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

export function recorded(file: string): readonly Recorded[] {
  return jsonLines<Recorded>(file);
}

/** The raw lines or bodies of one method, as the recorder got them. */
export function received(file: string, method: string): readonly string[] {
  return recorded(file)
    .map((entry) => entry.raw ?? entry.body ?? '')
    .filter((text) => text.includes(`"method":"${method}"`));
}

export async function waitFor<T>(
  probe: () => T | null | undefined | false,
  what: string,
  ms = 10_000,
  seen: () => unknown = () => '',
): Promise<T> {
  const end = performance.now() + ms;
  for (;;) {
    const found = probe();
    if (found) return found;
    if (performance.now() > end) throw new Error(`never came: ${what}; last seen ${JSON.stringify(seen())}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

export interface StandInInventory extends Inventory {
  readonly taken: { readonly upstreamId: string; readonly endpoint: string; readonly tools: readonly unknown[] }[];
  readonly accepted: string[];
}

function standInInventory(): StandInInventory {
  const known = new Map<string, readonly Tool[]>();
  const taken: StandInInventory['taken'] = [];
  const accepted: string[] = [];
  return {
    taken,
    accepted,
    async readAhead() {},
    takeIn(upstreamId, endpoint, tools, kind = 'tool') {
      if (kind !== 'tool') return { changed: false, problems: [] };
      taken.push({ upstreamId, endpoint, tools });
      known.set(
        upstreamId,
        (tools as { name: string }[]).map((tool) => ({
          upstreamId,
          kind: 'tool',
          name: tool.name,
          exposedName: tool.name,
          state: 'awaiting_review',
          risk: 'write',
          fingerprint: JSON.stringify(tool),
          reviewed: null,
          offered: tool as unknown as Tool['offered'],
        })),
      );
      return { changed: true, problems: [] };
    },
    // Knows tools alone, whatever kind is asked for.
    tools: ((id: string) => known.get(id) ?? []) as Inventory['tools'],
    find: ((id: string, name: string) =>
      known.get(id)?.find((tool) => tool.name === name) ?? null) as Inventory['find'],
    byExposedName: () => null,
    view: () => [],
    review: () => ({ kind: 'refused', message: '' }),
    acceptBuiltIn: (id) => void accepted.push(id),
    forget: (id) => void known.delete(id),
    onChange: () => () => {},
  };
}

function standInVault(reason: string | null): Rig['vault'] {
  const values = new Map<string, string>();
  return {
    values,
    state: async () => (reason === null ? { kind: 'ready', by: 'file' } : { kind: 'locked', reason }),
    async put(place, value) {
      if (reason !== null) return { kind: 'unavailable', reason };
      values.set(place, value);
      return { kind: 'written' };
    },
    async get(place) {
      const value = values.get(place);
      return value === undefined ? { kind: 'missing' } : { kind: 'found', value };
    },
    remove: (place) => void values.delete(place),
    removeAll(prefix) {
      for (const place of [...values.keys()]) if (place.startsWith(prefix)) values.delete(place);
    },
    has: (place) => values.has(place),
  } as Rig['vault'];
}
