import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { ConnectionView } from '../../shared/connections.ts';
import type { StatusView } from '../../shared/model.ts';
import type { Approvals } from './approvals/approvals.ts';
import type { HeldResults } from './approvals/held-results.ts';
import type { Trusts } from './approvals/trusts.ts';
import type { Audit } from './audit/audit.ts';
import type { Clients } from './clients/clients.ts';
import type { Pauses } from './clients/pauses.ts';
import type { Connections } from './connections/connections.ts';
import type { Admission } from './gateway/admission.ts';
import type { Clock, Platform } from './platform.ts';
import { pauseViews } from './requests/pauses.ts';
import type { Vault, VaultState } from './secrets/vault.ts';
import type { Sinks } from './sinks/sinks.ts';
import type { Upstreams } from './upstreams/upstreams.ts';

export interface Health {
  /** For `/health`: without an admin key the status alone. */
  answer(detailed: boolean): unknown;
  /** For the screens. The first one waits a moment for the keychain, so that it can say what is wrong with it. */
  status(): Promise<StatusView>;
  close(): void;
}

/** What is well and what is not. Degraded: calls are refused (audit), or an enabled upstream has failed. */
export function createHealth(parts: {
  readonly version: string;
  readonly platform: Platform;
  readonly unattended: boolean;
  readonly upstreams: Upstreams;
  readonly connections: Pick<Connections, 'list'>;
  readonly audit: Audit;
  readonly vault: Vault;
  readonly approvals: Approvals;
  readonly results: Pick<HeldResults<unknown>, 'list'>;
  readonly pauses: Pauses;
  readonly trusts: Pick<Trusts, 'list'>;
  readonly clients: Pick<Clients, 'get'>;
  readonly sinks: Pick<Sinks, 'known' | 'troubles'>;
  readonly endpoint: () => string;
  readonly admission: () => Admission | null;
  /** What lies in the vault, in words. */
  readonly secretNames: () => readonly string[];
  /** Sentences about the start, and about the log as it was found, that the person must read. */
  readonly notes: () => readonly string[];
}): Health {
  const { upstreams, audit, approvals, platform } = parts;
  const startedAt = platform.clock.monotonic();
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  let vaultState: VaultState | null = null;
  const readVault = async () => {
    vaultState = await parts.vault.state();
  };
  const first = readVault();

  // One without an account works as the person left it: it says so at its own place.
  const failed = () => upstreams.list().filter((one) => one.enabled && one.status === 'failed' && !one.needsSignIn);
  /** Calls, and results of calls, that wait for the person. */
  const waiting = () =>
    [...approvals.list('waiting'), ...parts.results.list()].filter(({ state }) => state === 'waiting').length;
  const isWell = () => audit.available().ok && failed().length === 0;

  return {
    answer(detailed) {
      const status = isWell() ? 'ok' : 'degraded';
      if (!detailed) return { status };
      const written = audit.available();
      return {
        status,
        version: parts.version,
        mode: platform.mode,
        paused: pauseViews(parts.pauses, parts.clients).map(({ client, by, since }) => ({ client, by, since })),
        uptimeMs: Math.round(platform.clock.monotonic() - startedAt),
        upstreams: upstreams.list().map(({ name, status: state, reason, era, toolCount, awaitingReview }) => ({
          name,
          status: state,
          reason,
          era,
          tools: toolCount,
          awaitingReview,
        })),
        connections: parts.connections
          .list()
          .map(({ upstream, label, state }) => ({ upstream, account: label, state })),
        database: { audit: written.ok ? 'writable' : written.reason, vault: vaultState?.kind ?? 'unknown' },
        queues: {
          audit: audit.queued(),
          auditIndex: Math.max(0, audit.indexed().head - audit.indexed().seq),
          requestsInFlight: parts.admission()?.inFlight() ?? 0,
          requestsQueued: parts.admission()?.queued() ?? 0,
          calls: upstreams.load(),
          approvalsWaiting: waiting(),
        },
        sinks: parts.sinks
          .known()
          .map(({ name, target, state, reason, deliveredSeq, headSeq, waiting, missed, nextTryAt }) => ({
            name,
            kind: target.kind,
            state,
            delivered: deliveredSeq,
            last: headSeq,
            waiting,
            missed,
            lastError: reason,
            nextTryAt,
          })),
        eventLoopDelayMs: { mean: toMs(delay.mean), p99: toMs(delay.percentile(99)), max: toMs(delay.max) },
        memory: { rssBytes: process.memoryUsage.rss(), heapUsedBytes: process.memoryUsage().heapUsed },
      };
    },

    async status() {
      if (vaultState === null) await withPatience(first, platform.clock);
      else if (vaultState.kind !== 'ready') await withPatience(readVault(), platform.clock);
      const written = audit.available();
      return {
        version: parts.version,
        mode: platform.mode,
        endpoint: parts.endpoint(),
        healthy: isWell(),
        banners: [
          ...parts.notes(),
          ...(parts.unattended
            ? ['Started unattended: the command line adds keys, upstreams and policies without asking you.']
            : []),
          ...(written.ok ? [] : [`Calls are refused: the audit log cannot be written. ${written.reason}`]),
          ...parts.sinks.troubles(),
          ...ended(parts.connections.list()),
          ...(vaultState === null || vaultState.kind === 'ready' ? [] : [vaultState.reason]),
        ],
        waiting: waiting(),
        pauses: pauseViews(parts.pauses, parts.clients),
        trusts: parts.trusts.list(),
        secretsLost: vaultState?.kind === 'lost' ? parts.secretNames() : null,
        dataFolder: platform.dataFolder,
      };
    },

    close: () => delay.disable(),
  };
}

/** Accounts whose sign-in the vendor took back, or that has run out: what waits for the person's one click. */
function ended(accounts: readonly ConnectionView[]): readonly string[] {
  const named = accounts
    .filter(({ state }) => state === 'reconnect')
    .map(({ upstream, label }) => `${upstream} (${label})`);
  if (named.length === 0) return [];
  const [are, they] = named.length === 1 ? ['An account is', 'it'] : [`${named.length} accounts are`, 'them'];
  return [`${are} no longer signed in: ${named.join(', ')}. Connect ${they} again on the Upstreams page.`];
}

/** A keychain that asks the person for a password answers when it likes. */
export function withPatience(answer: Promise<unknown>, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(PATIENCE_MS, resolve);
    void answer.then(() => {
      cancel();
      resolve();
    });
  });
}

const PATIENCE_MS = 1_000;

function toMs(nanoseconds: number): number {
  return Number.isFinite(nanoseconds) ? Math.round(nanoseconds / 10_000) / 100 : 0;
}
