import type { Handlers } from '../api.ts';
import type { Audit } from '../audit/audit.ts';
import type { RecordedCall } from '../audit/scan.ts';
import type { Clients } from '../clients/clients.ts';
import type { Clock } from '../platform.ts';
import type { Policies } from '../policy/policy.ts';
import { createReplay, type Replay } from '../policy/replay.ts';
import { workspaceOf } from './workspace-of.ts';

/** What a draft would have done with the calls of the audit; nothing is changed by asking. */
export function replayRequests(parts: {
  readonly policies: Pick<Policies, 'parseYaml'>;
  readonly clients: Clients;
  readonly audit: Pick<Audit, 'scanCalls'>;
  readonly clock: Clock;
}): Pick<Handlers, 'policyReplay' | 'policyReplayProgress'> {
  const { policies, clients, audit, clock } = parts;
  let running: Replay | null = null;
  return {
    async policyReplay({ workspace, yaml, sinceMs, calls, list }) {
      const found = workspaceOf(clients, workspace);
      if (found.kind === 'refused') return found;
      const parsed = policies.parseYaml(yaml);
      if (parsed.kind === 'refused') return parsed;
      const replay = createReplay(parsed.policy);
      const sinceAt = sinceMs === null ? null : clock.now() - sinceMs;
      running = replay;
      try {
        for await (const call of recordedCalls({ audit, clients, clock }, found.workspace, sinceAt)) {
          replay.take(call);
          if (replay.taken() === calls) break;
        }
      } finally {
        if (running === replay) running = null;
      }
      return { kind: 'done', report: replay.report(list) };
    },
    policyReplayProgress: () => ({ looked: running?.taken() ?? null }),
  };
}

/** The calls of one workspace, newest first, in slices that leave the event loop to everybody else. */
export async function* recordedCalls(
  parts: {
    readonly audit: Pick<Audit, 'scanCalls'>;
    readonly clients: Pick<Clients, 'get'>;
    readonly clock: Clock;
  },
  workspace: { readonly id: string; readonly name: string },
  sinceAt: number | null,
): AsyncGenerator<RecordedCall, void> {
  const { audit, clients, clock } = parts;
  /** By its client, because a workspace may have had another name; by that name where the client is gone. */
  const isOfIt = (call: RecordedCall) => {
    const client = call.clientId === null ? null : clients.get(call.clientId);
    return client === null ? call.workspace === workspace.name : client.workspaceId === workspace.id;
  };
  let began = clock.monotonic();
  const span = sinceAt === null ? { limit: MOST_CALLS } : { limit: MOST_CALLS, sinceAt };
  for await (const batch of audit.scanCalls(span)) {
    for (const call of batch) {
      if (isOfIt(call)) yield call;
      if (clock.monotonic() - began < SLICE_MS) continue;
      await new Promise((resolve) => setImmediate(resolve));
      began = clock.monotonic();
    }
  }
}

/** As good as all: what is looked through for the calls of one workspace. */
const MOST_CALLS = 10_000_000;
const SLICE_MS = 5;
