import type { ReplayedCall } from '../../../shared/model.ts';
import type { Handlers } from '../api.ts';
import type { Audit } from '../audit/audit.ts';
import type { Clients } from '../clients/clients.ts';
import type { Clock } from '../platform.ts';
import type { Policies } from '../policy/policy.ts';
import { NOTHING_MODIFIED, replayedCall, reportOf } from '../policy/replay-report.ts';
import type { Shadows } from '../policy/shadows.ts';
import { recordedCalls } from './replay.ts';
import { workspaceOf } from './workspace-of.ts';

/** A shadow decides nothing, so whoever starts or stops one is not asked whether he may. */
export function shadowRequests(parts: {
  readonly policies: Pick<Policies, 'parseYaml' | 'toYaml'>;
  readonly shadows: Shadows;
  readonly clients: Clients;
  readonly audit: Pick<Audit, 'scanCalls' | 'writeSoon'>;
  readonly clock: Clock;
}): Pick<Handlers, 'policyShadow' | 'policyShadowStart' | 'policyShadowStop'> {
  const { policies, shadows, clients, audit } = parts;
  return {
    policyShadowStart({ workspace, yaml }, caller) {
      const found = workspaceOf(clients, workspace);
      if (found.kind === 'refused') return found;
      const parsed = policies.parseYaml(yaml);
      if (parsed.kind === 'refused') return parsed;
      const { id, policy } = shadows.start(found.workspace.id, parsed.policy, caller.label);
      audit.writeSoon({
        phase: 'event',
        kind: 'shadow_started',
        workspace: found.workspace.name,
        outcome: 'done',
        detail: { shadow: id, policy: policies.toYaml(policy), by: caller.label },
      });
      return { kind: 'done' };
    },

    policyShadowStop({ workspace }, caller) {
      const found = workspaceOf(clients, workspace);
      if (found.kind === 'refused') return found;
      const shadow = shadows.get(found.workspace.id);
      if (shadow === null) return { kind: 'refused', message: 'No shadow runs.' };
      shadows.stop(found.workspace.id);
      audit.writeSoon({
        phase: 'event',
        kind: 'shadow_stopped',
        workspace: found.workspace.name,
        outcome: 'done',
        detail: { shadow: shadow.id, by: caller.label },
      });
      return { kind: 'done' };
    },

    async policyShadow({ workspace, list }) {
      const found = workspaceOf(clients, workspace);
      const shadow = found.kind === 'refused' ? null : shadows.get(found.workspace.id);
      if (found.kind === 'refused' || shadow === null) return { shadow: null };
      const calls: ReplayedCall[] = [];
      for await (const call of recordedCalls(parts, found.workspace, shadow.startedAt)) {
        const said = call.shadow;
        if (said?.id !== shadow.id) continue;
        // How many calls ran before is none of its business: it says what its rules say.
        const ruled = { ...call, errorClass: null };
        calls.push(replayedCall(ruled, { outcome: said.effect, rule: said.rule }, null));
        if (calls.length === MOST_CALLS) break;
      }
      const { startedAt, by } = shadow;
      const report = reportOf(calls, NOTHING_MODIFIED, list);
      return { shadow: { yaml: policies.toYaml(shadow.policy), startedAt, by, report } };
    },
  };
}

/** The latest calls under a shadow that a report is about. */
const MOST_CALLS = 100_000;
