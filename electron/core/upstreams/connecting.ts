import type { LookupFunction } from 'node:net';
import { homedir } from 'node:os';
import type { PriorDiscovery } from '@modelcontextprotocol/client';
import type { Log } from '../diagnosis/log.ts';
import type { Clock } from '../platform.ts';
import type { Vault } from '../secrets/vault.ts';
import type { Channel, Failure } from './channel.ts';
import type { LinkManner } from './client-links.ts';
import type { Confirmed } from './confirmed.ts';
import type { Credentials } from './credentials.ts';
import { endpointOf, secretPlaces, type UpstreamDefinition } from './definitions.ts';
import { childEnvironment, type Environment, resolveCommand } from './environment.ts';
import type { Eras } from './eras.ts';
import type { Exchange } from './exchange.ts';
import type { UpstreamLimits } from './limits.ts';
import type { Link } from './link.ts';
import { createLogLines, type LogLines } from './log-lines.ts';
import { EVERYTHING, offered } from './offered.ts';
import type { Processes } from './processes.ts';
import type { LinkEvents } from './supervisor.ts';
import { runnable } from './windows-shims.ts';

export interface ConnectingParts {
  readonly clock: Clock;
  readonly limits: UpstreamLimits;
  readonly vault: Vault;
  readonly confirmed: Confirmed;
  readonly eras: Eras;
  readonly processes: Processes;
  readonly schemas: Map<string, unknown>;
  /** Ours: for proxies and certificate authorities. */
  readonly environment: Environment;
  /** What children may inherit from, and where commands are looked for. */
  commandEnvironment(): Promise<Environment>;
  readonly lookup: LookupFunction | undefined;
  readonly version: string;
  readonly log: Log;
  definition(): UpstreamDefinition;
  /** Whom all links go out as. */
  readonly credentials: Credentials;
  /** `WWW-Authenticate` of a 401; null: without one. */
  noteChallenge(challenge: string | null): void;
  /** The lines of this start replace those of the last one. */
  showLines(lines: LogLines): void;
  lines(): LogLines;
  noteCommand(path: string): void;
  record(kind: string, detail: Readonly<Record<string, unknown>>): void;
}

/** Opens one upstream as its definition says: secrets from the vault, the command by its full path, the era as known. */
export async function connectUpstream(
  parts: ConnectingParts,
  signal: AbortSignal,
  events: LinkEvents,
  manner: LinkManner | null,
): Promise<Link | Failure> {
  const definition = parts.definition();
  const { name, transport } = definition;
  const refusal = await parts.confirmed.refusal(definition);
  if (refusal !== null) return refusal;
  const secrets = await readSecrets(parts.vault, definition);
  if (secrets.kind === 'failure') return secrets;
  const account = transport.kind === 'stdio' ? await parts.credentials.present() : null;
  if (account?.kind === 'failure') return account;
  const entries = { ...secrets.values, ...account?.presented.environment };
  // A process of one client writes beside the shared one, which goes on.
  const lines = manner === null ? createLogLines(Object.values(entries)) : parts.lines();
  if (manner === null) parts.showLines(lines);

  let command: string | null = null;
  let start: Start | null = null;
  if (transport.kind === 'stdio') {
    const environment = await parts.commandEnvironment();
    const resolved = resolveCommand(definition.resolvedCommand ?? transport.command, environment);
    // What it was resolved to is gone (a runtime was updated): looked up again, and written down anew.
    const found = resolved.kind === 'found' ? resolved : resolveCommand(transport.command, environment);
    const runs = found.kind === 'found' ? runnable(found.path, environment) : found;
    if (found.kind === 'missing' || runs.kind === 'missing') {
      const advice = `Install the program or correct the command, then refresh ${name}.`;
      return missing(`${name} cannot be started. ${'message' in runs ? runs.message : ''} ${advice}`);
    }
    command = found.path;
    if (command !== definition.resolvedCommand) parts.noteCommand(command);
    start = { command: runs.command, args: [...runs.args, ...transport.args], environment };
  }

  const open = await opener(parts, definition, entries, start, lines, events);
  // Not before something is started: reading the SDK takes longer than the rest of our start.
  const { openLink } = await import('./link.ts');
  const identity = JSON.stringify([command, endpointOf(transport), ...secretPlaces(definition.id, transport).keys()]);
  const isDemo = transport.kind === 'demo';
  // Whoever sets it to auto again wants it to be asked, not an old answer.
  if (definition.settings.era === 'legacy' && manner === null) parts.eras.forget(identity);
  return openLink({
    name,
    url: transport.kind === 'http' ? transport.url : null,
    version: parts.version,
    clock: parts.clock,
    limits: parts.limits,
    schemas: parts.schemas,
    open(exchange, style) {
      events.onOpening();
      return open(exchange, style);
    },
    // A link of one caller tells what that caller can be asked; on a shared one each request is judged on its own.
    capabilities: manner === null ? EVERYTHING : offered(manner.capabilities),
    era: definition.settings.era,
    prior: priorOf(definition, manner, () => parts.eras.known(identity)),
    noteEra(verdict) {
      if (isDemo || manner !== null) return;
      if (verdict === null) parts.eras.forget(identity);
      else parts.eras.note(identity, verdict);
    },
    signal,
    onListChanged: events.onListChanged,
    onEnded: events.onEnded,
    onRefusedRequest: refusals(parts),
    onNotice: events.onNotice,
  });
}

/** What needs no question: the person said it, the caller's link is of that era, or an earlier start found it out. */
function priorOf(
  { transport, settings: { era } }: UpstreamDefinition,
  manner: LinkManner | null,
  known: () => PriorDiscovery | null,
): PriorDiscovery | null {
  if (transport.kind === 'demo' || era === 'legacy' || manner?.era === 'legacy') return { kind: 'legacy' };
  const verdict = known();
  return era === 'modern' && verdict?.kind === 'legacy' ? null : verdict;
}

type Secrets = { readonly kind: 'read'; readonly values: Readonly<Record<string, string>> } | Failure;

async function readSecrets(vault: Vault, { id, name, transport }: UpstreamDefinition): Promise<Secrets> {
  const values: Record<string, string> = {};
  for (const [entry, place] of secretPlaces(id, transport)) {
    const read = await vault.get(place);
    if (read.kind === 'found') {
      values[entry] = read.value;
      continue;
    }
    const message =
      read.kind === 'missing'
        ? `${name} needs a value for ${entry}, and none is stored.`
        : `${name} needs ${entry}. ${read.reason}`;
    return {
      kind: 'failure',
      errorClass: 'secret_unavailable',
      message,
      retry: read.kind === 'missing' ? 'never' : 'patient',
    };
  }
  return { kind: 'read', values };
}

/** What is started in the end, and what it sees. */
interface Start {
  readonly command: string;
  readonly args: readonly string[];
  readonly environment: Environment;
}

type Open = (exchange: Exchange, style: 'usual' | 'sse') => Channel;

async function opener(
  parts: ConnectingParts,
  { id, transport, settings }: UpstreamDefinition,
  secrets: Readonly<Record<string, string>>,
  start: Start | null,
  lines: LogLines,
  events: LinkEvents,
): Promise<Open> {
  const { clock, limits } = parts;
  switch (transport.kind) {
    case 'demo': {
      const { openDemo } = await import('./demo-server.ts');
      return ({ hear }) => openDemo({ clock, hear });
    }
    case 'http': {
      const { openHttp } = await import('./http.ts');
      return (exchange, style) =>
        openHttp(
          {
            url: transport.url,
            secretHeaders: secrets,
            credentials: parts.credentials,
            noteChallenge: parts.noteChallenge,
            environment: parts.environment,
            allowPrivate: settings.allowPrivate,
            lookup: parts.lookup,
            userAgent: `gatehouse/${parts.version}`,
            clock,
            limits,
            hear: exchange.hear,
            onTooLarge: (request) => exchange.cut(request, 'too_large'),
            onStreamEnded: (request) => exchange.cut(request, 'stream_ended'),
            onStreamAgain: events.onListChanged,
            signalFor: exchange.signalFor,
          },
          style === 'sse' ? 'sse' : 'streamable',
        );
    }
    case 'stdio': {
      const { openStdio } = await import('./stdio.ts');
      // Not our own folder: what lies there must not decide what runs.
      const cwd = transport.cwd ?? homedir();
      const env = childEnvironment(start?.environment ?? {}, secrets);
      const { command, args } = start ?? transport;
      return (exchange) =>
        openStdio(
          { upstreamId: id, command, args, cwd, env },
          {
            clock,
            limits,
            processes: parts.processes,
            hear: exchange.hear,
            onTooLarge(request) {
              const [only, ...others] = exchange.waiting();
              const whose = request ?? (others.length === 0 ? (only ?? null) : null);
              // Nobody can tell whose answer it was: all of them end with the process.
              exchange.cut(whose, whose === null ? 'ended' : 'too_large');
            },
            onStderr: (chunk) => lines.write(chunk),
            onGarbage: (line) => lines.line(`[standard output, no MCP message] ${line}`),
          },
        );
    }
  }
}

/** A server may ask without end; the first times say enough. */
function refusals(parts: ConnectingParts): (method: string) => void {
  let left = MOST_REFUSALS;
  return (method) => {
    left -= 1;
    if (left >= 0) parts.record('upstream_request_refused', { method: method.slice(0, LONGEST_METHOD) });
  };
}

function missing(message: string): Failure {
  return { kind: 'failure', errorClass: 'upstream_unreachable', message, retry: 'never' };
}

const MOST_REFUSALS = 10;
const LONGEST_METHOD = 64;
