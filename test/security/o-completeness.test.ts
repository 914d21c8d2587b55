import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { AuditEntryView, AuditRecordView } from '../../shared/model.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { eventually, startGatehouse, type TestGatehouse } from '../support/gatehouse.ts';
import { createMemoryKeychain } from '../support/memory-keychain.ts';

/** What was recorded since `seq`, as records. */
async function since(gatehouse: TestGatehouse, seq: number): Promise<readonly AuditRecordView[]> {
  const { records } = await gatehouse.ask('auditList', { limit: 500 });
  return records.filter((record) => (record.entries[0]?.seq ?? 0) > seq).toReversed();
}

async function headOf(gatehouse: TestGatehouse): Promise<number> {
  const entries = await gatehouse.audit();
  return entries.at(-1)?.seq ?? 0;
}

/** The record of the only call since `seq`, once it has ended. */
async function callSince(gatehouse: TestGatehouse, seq: number): Promise<AuditRecordView> {
  const records = await eventually(async () => {
    const all = await since(gatehouse, seq);
    return all.some((record) => record.entries.some(({ phase }) => phase === 'ended')) ? all : null;
  }, 'the end of the call');
  const calls = records.filter((record) => record.kind === 'tool_call');
  expect(calls).toHaveLength(1);
  return calls[0] as AuditRecordView;
}

const phases = (record: AuditRecordView) => record.entries.map(({ phase }: AuditEntryView) => phase);

const POLICY = `defaultEffect: require_approval
rules:
  - name: reading-runs
    effect: allow
    match: { tool: echo, upstream: box }
  - name: never-delete
    effect: deny
    reason: Deleting is not for agents.
    match: { tool: delete_all }
`;

describe('O16 each call is one record, whatever becomes of it', () => {
  test('allowed, denied, approved, denied by the person, expired, unknown: every field stands in it', async () => {
    const clock = fakeClock();
    await using gatehouse = await startGatehouse({ clock });
    const { secret, prefix, clientId } = await gatehouse.key({ name: 'agent' });
    await gatehouse.recorder('box');
    await gatehouse.ask('clientSet', { client: clientId, holdMs: 600_000, tags: ['work'] });
    await gatehouse.ask('policyImport', { yaml: POLICY });
    const { policy } = { policy: expect.stringMatching(/^\d+-[0-9a-f]{12}$/) };

    let head = await headOf(gatehouse);
    const secretly = '{"text":"hello","delayMs":1.0}';
    await gatehouse.call(secret, 'box__echo', secretly);
    const allowed = await callSince(gatehouse, head);
    expect(phases(allowed)).toEqual(['forwarded', 'ended']);
    expect(allowed).toMatchObject({
      workspace: 'Personal',
      clientId,
      client: 'agent',
      keyPrefix: prefix,
      session: null,
      era: 'modern',
      upstream: 'box',
      connection: null,
      tool: 'echo',
      risk: 'write',
      fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
      effect: 'allow',
      rule: 'reading-runs',
      reason: expect.stringContaining('reading-runs'),
      approval: null,
      edited: false,
      outcome: 'answered',
      errorClass: null,
      totalMs: expect.any(Number),
      upstreamMs: expect.any(Number),
      waitedMs: null,
      argumentsBytes: secretly.length,
      argumentsSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      resultBytes: expect.any(Number),
      resultSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(allowed.entries[0]?.detail).toMatchObject({ arguments: secretly, argumentsRedacted: 0, policy });
    expect(allowed.entries[0]?.detail).toMatchObject({ clientTags: ['work'], upstreamTags: [], callKind: 'tool' });

    head = await headOf(gatehouse);
    await gatehouse.call(secret, 'box__delete_all');
    const denied = await callSince(gatehouse, head);
    expect(phases(denied)).toEqual(['ended']);
    expect(denied).toMatchObject({ effect: 'deny', rule: 'never-delete', outcome: 'refused', errorCode: 41010 });
    expect(denied.reason).toContain('Deleting is not for agents.');

    head = await headOf(gatehouse);
    const parked = gatehouse.call(secret, 'box__fail', '{"text":"password=hunter2222"}');
    const card = await gatehouse.card();
    await clock.advance(2_000);
    await gatehouse.approve(card);
    await parked;
    const approved = await callSince(gatehouse, head);
    expect(phases(approved)).toEqual(['asked', 'forwarded', 'ended']);
    expect(approved).toMatchObject({
      effect: 'require_approval',
      rule: null,
      approval: 'approved',
      approvedBy: 'dashboard',
      waitedMs: 2_000,
      outcome: 'answered',
    });
    expect(approved.entries[0]?.detail).toMatchObject({ argumentsRedacted: 1 });
    expect(JSON.stringify(approved)).not.toContain('hunter2222');
    const answers = (await since(gatehouse, head)).filter((record) => record.kind === 'approval_answer');
    expect(answers.map((record) => record.outcome)).toEqual(['approved']);

    head = await headOf(gatehouse);
    const refused = gatehouse.call(secret, 'box__fail', '{"text":"two"}');
    const second = await gatehouse.card();
    await clock.advance(1_000);
    await gatehouse.ask('approvalDeny', { approval: second.id, reason: 'not now' });
    await refused;
    const no = await callSince(gatehouse, head);
    expect(phases(no)).toEqual(['asked', 'ended']);
    expect(no).toMatchObject({
      approval: 'denied',
      approvedBy: 'dashboard',
      waitedMs: 1_000,
      outcome: 'refused',
      errorClass: 'approval_denied',
      errorCode: 41011,
    });

    head = await headOf(gatehouse);
    const late = gatehouse.call(secret, 'box__slow', '{"ms":1}');
    await gatehouse.card();
    await clock.advance(301_000);
    await late;
    const expired = await callSince(gatehouse, head);
    expect(phases(expired)).toEqual(['asked', 'ended']);
    expect(expired).toMatchObject({ errorClass: 'approval_expired', errorCode: 41012, outcome: 'refused' });
    expect(expired.waitedMs).toBeGreaterThanOrEqual(299_000);

    head = await headOf(gatehouse);
    await gatehouse.call(secret, 'box__nothing');
    const unknown = await callSince(gatehouse, head);
    expect(phases(unknown)).toEqual(['ended']);
    expect(unknown).toMatchObject({ outcome: 'refused', errorClass: 'unknown_tool', errorCode: -32602, effect: null });
    expect((await gatehouse.ask('auditVerify')).problem).toBeNull();
  });
});

describe('O16 each administrative act and each refusal at the door is one record', () => {
  test('doors, keys, clients, workspaces, policy, upstreams, reviews, pause, trust, shadow, export, purge, start and stop', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-o16-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const platform = { keychain: createMemoryKeychain() };
    await using gatehouse = await startGatehouse({ folder, platform });
    const { secret, keyId, clientId } = await gatehouse.key({ name: 'agent' });

    /** Records of one kind that an act leaves; the act itself may leave others. */
    async function leaves(kind: string, act: () => Promise<unknown>, more: Partial<AuditRecordView> = {}) {
      const head = await headOf(gatehouse);
      await act();
      const found = await eventually(async () => {
        const all = (await since(gatehouse, head)).filter((record) => record.kind === kind);
        return all.length > 0 ? all : null;
      }, kind);
      // Whoever writes twice does it at once.
      await new Promise((resolve) => setTimeout(resolve, 30));
      const after = (await since(gatehouse, head)).filter((record) => record.kind === kind);
      expect([kind, after.length]).toEqual([kind, 1]);
      expect(found[0]).toMatchObject({ kind, ...more });
      return found[0] as AuditRecordView;
    }

    const port = gatehouse.port;
    await leaves('unauthorized', () => gatehouse.post('gh_wrong', '{}'));
    await leaves('host_rejected', () => gatehouse.raw(`GET /mcp HTTP/1.1\r\nHost: evil.example:${port}\r\n\r\n`, 500));
    await leaves('origin_rejected', () =>
      gatehouse.post(secret, '{}', { headers: { origin: 'https://evil.example' } }),
    );
    await leaves('key_created', () => gatehouse.key({ name: 'second' }), { client: 'second' });
    const other = await gatehouse.key({ name: 'third' });
    await leaves('key_rotated', () => gatehouse.ask('keyRotate', { key: other.keyId }), { client: 'third' });
    await leaves('key_revoked', () => gatehouse.ask('keyRevoke', { key: keyId }), { client: 'agent' });
    await leaves('client_changed', () => gatehouse.ask('clientSet', { client: clientId, tags: ['t'] }));
    await leaves('workspace_created', () => gatehouse.ask('workspaceCreate', { name: 'Work' }));
    const work = (await gatehouse.ask('workspacesList')).find(({ name }) => name === 'Work');
    await leaves('workspace_renamed', () =>
      gatehouse.ask('workspaceRename', { workspace: work?.id ?? '', name: 'Job' }),
    );
    await leaves('workspace_removed', () => gatehouse.ask('workspaceRemove', { workspace: work?.id ?? '' }));
    const changed = await leaves('policy_changed', () => gatehouse.ask('policyImport', { yaml: POLICY }));
    expect(changed.entries[0]?.detail).toMatchObject({
      before: expect.stringContaining('read-tools-run'),
      after: expect.stringContaining('never-delete'),
      versionBefore: expect.stringMatching(/^1-/),
      version: expect.stringMatching(/^2-/),
    });

    const description = join(folder, 'description.txt');
    const args = [`--description-file=${description}`];
    let box = { id: '' };
    await leaves('upstream_added', async () => {
      box = await gatehouse.recorder('box', { args, review: false });
    });
    await eventually(
      async () => ((await gatehouse.ask('toolsList', { upstream: box.id })).length > 0 ? 1 : null),
      'tools',
    );
    const reviewed = await gatehouse.ask('toolsList', { upstream: box.id });
    await leaves('tools_reviewed', () =>
      gatehouse.ask('toolsReview', {
        upstream: box.id,
        accept: reviewed.map(({ kind, name, fingerprint }) => ({ kind, name, fingerprint, risk: 'read' })),
      }),
    );
    await leaves('upstream_changed', () => gatehouse.ask('upstreamChange', { upstream: box.id, tags: ['x'] }));
    await leaves('upstream_stopped', () => gatehouse.ask('upstreamDisable', { upstream: box.id }));
    await leaves('upstream_started', () => gatehouse.ask('upstreamEnable', { upstream: box.id }));
    await leaves('upstream_disabled', () => gatehouse.ask('upstreamDisable', { upstream: box.id }));
    await leaves('upstream_enabled', () => gatehouse.ask('upstreamEnable', { upstream: box.id }));
    writeFileSync(description, 'Something else now.');
    await leaves('definition_changed', () => gatehouse.ask('upstreamRefresh', { upstream: box.id }), {
      upstream: 'box',
      workspace: 'Personal',
    });
    const { secret: key } = await gatehouse.key();
    await gatehouse.ask('policyImport', { yaml: 'defaultEffect: allow\nrules: []\n' });
    await leaves('upstream_failed', () => gatehouse.call(key, 'box__crash'));
    await leaves('upstream_removed', () => gatehouse.ask('upstreamRemove', { upstream: box.id }));

    await leaves('calls_paused', () => gatehouse.ask('callsPause', {}));
    const [pause] = (await gatehouse.ask('status')).pauses;
    expect(pause).toBeDefined();
    await leaves('calls_resumed', () => gatehouse.ask('callsResume', {}));
    const client = (await gatehouse.key({ name: 'trusted' })).clientId;
    await leaves('trust_started', () => gatehouse.ask('trustStart', { client, minutes: 5 }), { client: 'trusted' });
    const [trust] = (await gatehouse.ask('status')).trusts;
    await leaves('trust_ended', () => gatehouse.ask('trustEnd', { trust: trust?.id ?? '' }), { client: 'trusted' });
    await leaves('shadow_started', () => gatehouse.ask('policyShadowStart', { yaml: POLICY }));
    await leaves('shadow_stopped', () => gatehouse.ask('policyShadowStop', {}));
    await leaves('confirmation', async () => {
      const asking = gatehouse.ask('keyCreate', { role: 'executor', name: 'cli-key' }, { origin: 'cli', label: 'cli' });
      const shown = await eventually(
        async () => (await gatehouse.ask('confirmationsList'))[0] ?? null,
        'a confirmation',
      );
      await gatehouse.ask('confirmationAnswer', { confirmation: shown.id, answer: 'refuse' });
      await asking;
    });
    await leaves('audit_exported', () => gatehouse.ask('auditExport'));

    await gatehouse.close();
    await using again = await startGatehouse({ folder, platform });
    const kinds = (await again.audit()).map(({ kind }) => kind);
    const count = (kind: string) => kinds.filter((one) => one === kind).length;
    expect({ opened: count('audit_opened'), started: count('app_started'), stopped: count('app_stopped') }).toEqual({
      opened: 2,
      started: 2,
      stopped: 1,
    });
    expect(count('chain_started')).toBe(1);
    expect((await again.ask('auditVerify')).problem).toBeNull();
  });
});
