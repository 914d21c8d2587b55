import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import type { ConnectionView } from '../../../shared/connections.ts';
import { eventually, startGatehouse, type TestGatehouse } from '../../support/gatehouse.ts';
import { httpRecorder, recorded } from '../upstreams/rig.ts';

const keyOf = (label: string) => `canary-key-${label}`;

async function twoAccounts(folder: string) {
  const file = join(folder, 'server.jsonl');
  const server = await httpRecorder(file);
  const gatehouse = await startGatehouse({ folder });
  const added = await gatehouse.ask('upstreamAdd', { name: 'notes', transport: { kind: 'http', url: server.url } });
  if (added.kind !== 'done') throw new Error(added.message);
  const upstream = added.upstream.id;
  await gatehouse.ask('upstreamSignIn', {
    upstream,
    signIn: { kind: 'api_key', place: { in: 'header', name: 'X-Key' } },
  });
  for (const label of ['work', 'personal']) {
    await gatehouse.ask('signInStart', { upstream, label, secret: keyOf(label) });
    await eventually(async () => ((await labels(gatehouse)).includes(label) ? true : null), label);
  }
  const tools = await eventually(async () => {
    const listed = await gatehouse.ask('toolsList', { upstream });
    return listed.length > 0 ? listed : null;
  }, 'the tools');
  const accept = tools.map(({ kind, name, fingerprint }) => ({ kind, name, fingerprint, risk: 'read' as const }));
  await gatehouse.ask('toolsReview', { upstream, accept });
  const usedBy = () =>
    recorded(file)
      .filter(({ body }) => body?.includes('"tools/call"'))
      .map(({ headers }) => headers?.['x-key']);
  return { gatehouse, upstream, usedBy };
}

const accounts = (gatehouse: TestGatehouse): Promise<readonly ConnectionView[]> => gatehouse.ask('connectionsList', {});
const labels = async (gatehouse: TestGatehouse) => (await accounts(gatehouse)).map(({ label }) => label);

test('which account a name and no name stands for is as the person said, whatever another program wrote', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-sealed-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { gatehouse, upstream, usedBy } = await twoAccounts(folder);
  const before = await accounts(gatehouse);
  const [chooser, other] = [await gatehouse.key(), await gatehouse.key()];
  const personal = before.find(({ label }) => label === 'personal')?.id ?? '';
  const work = before.find(({ label }) => label === 'work')?.id ?? '';
  await gatehouse.ask('connectionDefault', { connection: personal, client: chooser.clientId });
  await gatehouse.close();

  const db = new Database(join(folder, 'state.db'));
  db.exec("UPDATE connections SET label = CASE label WHEN 'work' THEN 'personal' ELSE 'work' END");
  db.exec('UPDATE connections SET is_default = 1 - is_default');
  db.prepare('UPDATE connection_choices SET connection_id = ?').run(work);
  db.prepare('INSERT INTO connection_choices VALUES (?, ?, ?)').run(other.clientId, upstream, personal);
  db.prepare(
    "INSERT INTO connections SELECT 'forged', upstream_id, 'forged', mode, 'connected', NULL, NULL, used_at, NULL, NULL, 0, NULL, NULL, 0, 0, 1, 1, NULL FROM connections WHERE id = ?",
  ).run(work);
  db.close();

  await using again = await startGatehouse({ folder });
  const now = await accounts(again);
  expect(now.filter(({ id }) => id !== 'forged').map(({ id, label, isDefault }) => ({ id, label, isDefault }))).toEqual(
    before.map(({ id, label, isDefault }) => ({ id, label, isDefault })),
  );
  expect(now.find(({ id }) => id === 'forged')).toMatchObject({ state: 'signed_out', isDefault: false });
  const entries = await again.audit((all) => all.filter(({ kind }) => kind === 'changed_on_disk').length >= 5);
  expect(
    entries
      .filter(({ kind }) => kind === 'changed_on_disk')
      .map(({ outcome, detail }) => [detail.table, outcome])
      .toSorted(),
  ).toEqual([
    ['connection_choices', 'set_back'],
    ['connection_choices', 'withdrawn'],
    ['connections', 'set_back'],
    ['connections', 'set_back'],
    ['connections', 'withdrawn'],
  ]);
  await eventually(async () => {
    const [view] = (await again.ask('upstreamsList')).filter(({ name }) => name === 'notes');
    return view?.status === 'ready' ? view : null;
  }, 'the upstream');
  await again.call(other.secret, 'notes__echo', '{}');
  await again.call(chooser.secret, 'notes__echo', '{}');
  expect(usedBy()).toEqual([keyOf('work'), keyOf('personal')]);
});
