import type { ExplainedRecord, Policy } from '../../../shared/model.ts';
import type { Handlers } from '../api.ts';
import type { Audit } from '../audit/audit.ts';
import type { PurgeLimit } from '../audit/purge.ts';
import type { Retention } from '../audit/retention.ts';
import { type RecordedCall, recordedCall } from '../audit/scan.ts';
import type { Clients } from '../clients/clients.ts';
import { explain } from '../policy/explain.ts';
import type { Policies } from '../policy/policy.ts';
import { factsOfRecorded, untoldOf } from '../policy/recorded.ts';
import type { Act, Widening } from './widening.ts';

export function auditRequests(parts: {
  readonly audit: Audit;
  readonly policies: Pick<Policies, 'get' | 'parseYaml'>;
  readonly clients: Pick<Clients, 'workspaces'>;
  readonly retention: Pick<Retention, 'get' | 'set'>;
  readonly widening: Widening;
}): Pick<
  Handlers,
  'auditList' | 'auditExplain' | 'auditVerify' | 'auditExport' | 'auditState' | 'auditPurge' | 'auditRetentionSet'
> {
  const { audit, policies, clients, retention, widening } = parts;

  /** The policy of a workspace that had this version, from the changes that the audit holds; null when none has it. */
  async function policyOf(workspace: string, version: string): Promise<Policy | null> {
    for (let before: number | null = Number.MAX_SAFE_INTEGER; before !== null; ) {
      const page = await audit.list({ kind: 'policy_changed', workspace, before, limit: CHANGES });
      for (const { detail } of page.records.flatMap((record) => record.entries)) {
        const yaml =
          detail.version === version ? detail.after : detail.versionBefore === version ? detail.before : null;
        if (typeof yaml !== 'string' || yaml === '') continue;
        const parsed = policies.parseYaml(yaml);
        if (parsed.kind === 'done') return parsed.policy;
      }
      before = page.nextBefore;
    }
    return null;
  }

  async function explained(call: RecordedCall): Promise<ExplainedRecord> {
    const workspace = call.workspace ?? '';
    const { id = '' } = clients.workspaces().find((one) => one.name === workspace) ?? {};
    const now = policies.get(id);
    const isNow = call.policy === now.version;
    const then = isNow || call.policy === null ? null : await policyOf(workspace, call.policy);
    const explanation = explain(then ?? now.policy, factsOfRecorded(call));
    const isThen = isNow || then !== null;
    return {
      requestId: call.requestId,
      recorded: { effect: call.effect, rule: call.rule, standing: call.standing },
      by: isThen ? 'then' : 'now',
      policy: isThen ? (call.policy ?? now.version) : now.version,
      explanation,
      notes: [
        ...(isThen ? [] : [POLICY_GONE]),
        ...(call.standing === null ? [] : [BY_STANDING]),
        ...(call.trust === null ? [] : [BY_TRUST]),
        ...untoldOf(call),
        ...(isThen && call.standing === null && call.trust === null && explanation.decision.effect !== call.effect
          ? [OTHERWISE]
          : []),
      ],
    };
  }

  return {
    auditList: (input) => audit.list(given(input)),

    async auditExplain({ requestId }) {
      const [record] = (await audit.list({ requestId, limit: 1 })).records;
      if (record === undefined) return { kind: 'refused', message: `There is no record "${requestId}" in the audit.` };
      const call = recordedCall(record);
      if (call === null) return { kind: 'refused', message: UNDECIDED };
      return { kind: 'done', explained: await explained(call) };
    },

    auditVerify: () => audit.verify(),

    async auditExport({ as, ...input }, caller) {
      const query = given(input);
      const made = as === 'proof' ? await audit.exportLines() : await audit.exportRecords(as, query);
      const what = { as, entries: made.entries, ...(as === 'proof' ? {} : { query }) };
      audit.writeSoon({ phase: 'event', kind: 'audit_exported', detail: { ...what, by: caller.label } });
      return made;
    },

    auditState() {
      const { head, seq } = audit.indexed();
      return { work: audit.work(), behind: Math.max(0, head - seq), retention: retention.get() };
    },

    async auditPurge(limit, caller) {
      if (limit.olderThanMs === null && limit.keepBytes === null) return { kind: 'refused', message: NO_LIMIT };
      const act = { kind: 'audit', title: 'Remove the beginning of the audit', lines: limitLines(limit) } as const;
      const refusal = await widening(act, caller);
      if (refusal !== null) return refusal;
      const answer = await audit.purge(limit, caller.label);
      if (answer.kind === 'unavailable') return { kind: 'refused', message: answer.reason };
      return { kind: 'done', entries: answer.removed?.entries ?? 0, upTo: answer.removed?.upTo ?? null };
    },

    async auditRetentionSet(limit, caller) {
      const before = retention.get();
      const keepsAll = limit.olderThanMs === null && limit.keepBytes === null;
      const act = { kind: 'audit', title: 'Remove old entries of the audit daily', lines: limitLines(limit) } as const;
      const refusal = keepsAll ? null : await widening(act, caller);
      if (refusal !== null) return refusal;
      retention.set(limit);
      const { olderThanMs, keepBytes } = before;
      const detail = { before: { olderThanMs, keepBytes }, after: limit, by: caller.label };
      audit.writeSoon({ phase: 'event', kind: 'retention_changed', detail });
      return { kind: 'done', retention: retention.get() };
    },
  };
}

const NO_LIMIT = 'Say how old entries must be, or how much to keep.';

function limitLines({ olderThanMs, keepBytes }: PurgeLimit): Act['lines'] {
  return [
    ...(olderThanMs === null ? [] : [{ label: 'Older than', value: `${Math.round(olderThanMs / 86_400_000)} days` }]),
    ...(keepBytes === null ? [] : [{ label: 'All but', value: `${Math.round(keepBytes / 1_048_576)} MB` }]),
    { label: 'What stays', value: 'the last day, and a signed note of what was removed' },
  ];
}

/** Changes of a policy that are looked at in one go. */
const CHANGES = 50;

const UNDECIDED =
  'No rule was asked about this record: it is no call, or the call ended before its turn. The record says why.';
const POLICY_GONE =
  'The policy that decided is no longer known, so the one in force now is explained; it may decide otherwise.';
const BY_STANDING = 'A standing approval answered in place of the person.';
const BY_TRUST = 'Trust for some minutes answered in place of the person.';
const OTHERWISE =
  'The record holds another decision than its policy gives for what the record tells: something that decided is not in it.';

/** What is left out, or left empty on a screen, is no condition. */
function given<T extends object>(input: T): Given<T> {
  return Object.fromEntries(
    Object.entries(input).filter(([, value]) => value !== undefined && value !== ''),
  ) as Given<T>;
}

type Given<T> = { [K in keyof T]: Exclude<T[K], undefined> };
