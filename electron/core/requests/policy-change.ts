import type { Refused } from '../../../shared/api.ts';
import type { Policy, Workspace } from '../../../shared/model.ts';
import type { Caller } from '../api.ts';
import type { Audit } from '../audit/audit.ts';
import type { Policies } from '../policy/policy.ts';
import type { Widening } from './widening.ts';

/**
 * Puts a policy in the place of another, once the person has seen both; on record with the two of them. Null: it is done.
 *
 * @param suggestion which one it came from, where it came from one.
 */
export async function changePolicy(
  parts: {
    readonly policies: Pick<Policies, 'get' | 'set' | 'toYaml'>;
    readonly audit: Pick<Audit, 'writeSoon'>;
    readonly widening: Widening;
  },
  change: {
    readonly workspace: Workspace;
    readonly policy: Policy;
    readonly title: string;
    readonly suggestion?: string;
  },
  caller: Caller,
): Promise<Refused | null> {
  const { policies, audit, widening } = parts;
  const { workspace, policy, title, suggestion } = change;
  const { policy: before, version: versionBefore } = policies.get(workspace.id);
  const beforeYaml = before === null ? '' : policies.toYaml(before);
  const afterYaml = policies.toYaml(policy);
  const refusal = await widening(
    {
      kind: 'policy',
      title,
      lines: [
        { label: 'New policy', value: afterYaml },
        { label: 'Policy now', value: beforeYaml === '' ? 'none' : beforeYaml },
      ],
    },
    caller,
  );
  if (refusal !== null) return refusal;
  if (policies.get(workspace.id).version !== versionBefore) {
    return {
      kind: 'refused',
      message: 'The policy was changed meanwhile, so nothing was changed now. Look at it again.',
    };
  }
  policies.set(workspace.id, policy);
  audit.writeSoon({
    phase: 'event',
    kind: 'policy_changed',
    workspace: workspace.name,
    detail: {
      versionBefore,
      version: policies.get(workspace.id).version,
      before: beforeYaml,
      after: afterYaml,
      by: caller.label,
      ...(suggestion === undefined ? {} : { suggestion }),
    },
  });
  return null;
}
