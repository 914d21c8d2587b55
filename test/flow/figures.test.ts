import { expect, test } from 'vitest';
import { eventually, startGatehouse, type TestGatehouse } from '../support/gatehouse.ts';

test('calls, decisions, waiting times, error classes and tools, for each client and day, as the audit tells them', async () => {
  await using gatehouse = await startGatehouse();
  await gatehouse.recorder('files', { risks: { echo: 'read' } });
  const imported = await gatehouse.ask('policyImport', {
    yaml: `defaultEffect: require_approval
rules:
  - name: reading
    effect: allow
    match: { risk: [read] }
  - name: never
    effect: deny
    match: { tool: ['never'] }
`,
  });
  expect(imported).toMatchObject({ kind: 'done' });
  const one = await gatehouse.key({ name: 'one' });
  const two = await gatehouse.key({ name: 'two' });
  for (let n = 0; n < 3; n += 1) await gatehouse.call(one.secret, 'files__echo');
  await gatehouse.call(one.secret, 'files__never');
  await gatehouse.call(one.secret, 'files__no_such_tool');
  for (const answer of ['approve', 'deny'] as const) {
    const call = gatehouse.call(two.secret, 'files__delete_all', `{"n":"${answer}"}`);
    const card = await gatehouse.card();
    if (answer === 'approve') await gatehouse.approve(card);
    else await gatehouse.ask('approvalDeny', { approval: card.id });
    await call;
  }
  await gatehouse.audit(
    (all) => all.filter(({ phase, kind }) => phase === 'ended' && kind === 'tool_call').length === 7,
  );

  const figures = await gatehouse.ask('auditFigures', { by: ['client', 'day'] });
  expect(figures).toMatchObject({
    behind: 0,
    total: {
      calls: 7,
      decisions: { allow: 3, require_approval: 2, deny: 1, none: 1 },
      waiting: { calls: expect.any(Number) },
    },
  });
  const { total, groups } = figures;
  expect(new Map(total.errorClasses.map(({ errorClass, calls }) => [errorClass, calls]))).toEqual(
    new Map([
      ['approval_denied', 1],
      ['policy_denied', 1],
      ['unknown_tool', 1],
    ]),
  );
  expect(total.tools[0]).toEqual({ upstream: 'files', tool: 'echo', calls: 3 });
  const today = new Date().toLocaleDateString('sv-SE');
  expect(groups.map(({ client, day, calls }) => [client, day, calls])).toEqual([
    ['one', today, 5],
    ['two', today, 2],
  ]);
  expect(groups[0]?.waiting).toBeNull();

  // The wait that is told is the one that the record has.
  const { records } = await gatehouse.ask('auditList', { client: 'two' });
  const waits = records.flatMap(({ waitedMs }) => (waitedMs === null ? [] : [waitedMs])).toSorted((a, b) => a - b);
  expect(waits.length).toBeGreaterThan(0);
  expect(groups[1]?.waiting).toEqual({
    calls: waits.length,
    medianMs: waits[Math.ceil(waits.length / 2) - 1],
    p95Ms: waits.at(-1),
  });

  const ofTwo = await gatehouse.ask('auditFigures', { client: 'two', from: Date.now() - 60_000 });
  expect(ofTwo).toMatchObject({ total: { calls: 2 }, groups: [] });
  expect(await gatehouse.ask('auditFigures', { to: Date.now() - 3_600_000 })).toMatchObject({ total: { calls: 0 } });
});

test('the context that lazy exposure saves is measured on the answers that were given', async () => {
  await using gatehouse = await startGatehouse();
  await gatehouse.recorder('files', { risk: 'read' });
  const lazy = await gatehouse.key({ name: 'lazy' });
  const eager = await gatehouse.key({ name: 'eager', scopeTags: ['*'] });
  const [short, whole] = [await listed(gatehouse, lazy.secret), await listed(gatehouse, eager.secret)];
  await listed(gatehouse, lazy.secret);
  const own = new Set(short.map(({ name }) => name));
  const bytes = (tools: readonly Tool[]) =>
    tools.reduce((all, tool) => all + Buffer.byteLength(JSON.stringify(tool)) + 1, 0);
  const found = await gatehouse.call(lazy.secret, 'find_tools', '{"query":"echo"}');
  const text = textOf(found.message?.result);

  const { groups, total } = await gatehouse.ask('auditFigures', { by: ['client'] });
  const of = (client: string) => groups.find((group) => group.client === client)?.exposure;
  const everything = bytes(whole.filter(({ name }) => !own.has(name)));
  expect(of('lazy')).toMatchObject({
    lists: 2,
    listedBytes: 2 * bytes(short),
    wholeBytes: 2 * everything,
    finds: 1,
    foundBytes: Buffer.byteLength(text),
    savedBytes: 2 * everything - 2 * bytes(short) - Buffer.byteLength(text),
  });
  // Who lists everything saves nothing, and what our own tools take is told as well.
  expect(of('eager')?.savedBytes).toBe(-bytes(short));
  expect(total.exposure.savedTokensAbout).toBe(Math.round(total.exposure.savedBytes / 4));
});

test('what was saved is still known after a restart, and a denied tool is no saving', async () => {
  const first = await startGatehouse();
  const { folder } = first;
  await first.recorder('files', { risk: 'read' });
  const key = await first.key({ name: 'lazy' });
  await listed(first, key.secret);
  const before = (await first.ask('auditFigures', {})).total.exposure;
  const imported = await first.ask('policyImport', {
    yaml: "defaultEffect: allow\nrules:\n  - name: none\n    effect: deny\n    match: { upstream: ['*'] }\n",
  });
  expect(imported).toMatchObject({ kind: 'done' });
  await listed(first, key.secret);
  const after = (await first.ask('auditFigures', {})).total.exposure;
  expect(before.wholeBytes).toBeGreaterThan(1_000);
  expect(after).toMatchObject({ lists: 2, wholeBytes: before.wholeBytes });
  await first.core.close();

  const second = await startGatehouse({ folder });
  expect((await second.ask('auditFigures', {})).total.exposure).toEqual(after);
  await second.close();
  await first.close();
});

function textOf(result: Record<string, unknown> | undefined): string {
  const [first] = (result?.content ?? []) as readonly { readonly text: string }[];
  if (first === undefined) throw new Error('find_tools gave no text');
  return first.text;
}

interface Tool {
  readonly name: string;
}

async function listed(gatehouse: TestGatehouse, key: string): Promise<readonly Tool[]> {
  const answer = await eventually(async () => {
    const { message } = await gatehouse.post(
      key,
      {
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/list',
        params: {
          _meta: {
            'io.modelcontextprotocol/protocolVersion': '2026-07-28',
            'io.modelcontextprotocol/clientCapabilities': {},
            'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
          },
        },
      },
      { headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' } },
    );
    return message?.result ?? null;
  }, 'the list of tools');
  return answer.tools as readonly Tool[];
}
