import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { differenceOf } from '../../shared/difference.ts';
import type { ToolView } from '../../shared/model.ts';
import { type Answer, eventually, type Recorder } from '../support/gatehouse.ts';
import { sliceAfter } from '../support/json-slice.ts';
import { openLegacySession } from '../support/legacy-session.ts';
import { MODERN_META, openTarget, type Target } from '../support/target.ts';

let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target[Symbol.asyncDispose]());

const metaOf = (answer: Answer) => (answer.message?.result?._meta ?? {}) as Readonly<Record<string, unknown>>;
const call = (tool: string, argumentsText?: string) => target.gatehouse.call(target.k1.secret, tool, argumentsText);

/** The Tools view of one tool, once it is in the state. */
const inState = (upstream: string, name: string, state: ToolView['state']) =>
  eventually(
    async () =>
      (await target.gatehouse.ask('toolsList', { upstream })).find((one) => one.name === name && one.state === state) ??
      null,
    `${upstream} / ${name} to be ${state}`,
  );

/** Everything this client can read of tools: find_tools with and without words, and tools/list with all tools in it. */
async function agentsRead(): Promise<string> {
  const { gatehouse, k1 } = target;
  await gatehouse.ask('clientSet', { client: k1.clientId, scopeTags: ['*'] });
  const answers = await Promise.all([
    call('find_tools', '{"limit":50}'),
    call('find_tools', '{"query":"gives back what it was given","limit":50}'),
    call('find_tools', '{"query":"exfil","limit":50}'),
    gatehouse.post(
      k1.secret,
      { jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta: MODERN_META } },
      { headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' } },
    ),
  ]);
  return answers.map(({ text }) => text).join('\n');
}

/** Every way there is to name a tool. */
const waysTo = (upstream: string, tool: string) =>
  [
    ['tools/call', () => call(`${upstream}__${tool}`)],
    ['call_external_tool', () => call('call_external_tool', JSON.stringify({ upstream, tool, arguments: {} }))],
    ['its own endpoint', () => target.gatehouse.call(target.k1.secret, tool, '{}', { path: `/u/${upstream}/mcp` })],
    [
      'a session of 2025-11-25',
      async () => (await openLegacySession(target.gatehouse, target.k1.secret)).call(`${upstream}__${tool}`),
    ],
  ] as const;

describe('G1 a reviewed tool changes its description', () => {
  const BEFORE = 'Gives back what it was given.';
  const AFTER = 'Gives back what it was given!';
  let rug: Recorder;
  beforeAll(async () => {
    rug = await target.gatehouse.recorder('rug', { risk: 'read' });
    expect((await call('rug__echo', '{"text":"before"}')).message?.result).toMatchObject({
      content: [{ text: '{"text":"before"}' }],
    });
    await call('rug__change_definition', JSON.stringify({ description: AFTER }));
    await inState('rug', 'echo', 'changed');
    target.watch(rug);
  });

  test('G1 every call of it is 41013 and reaches nothing', async () => {
    for (const [way, attempt] of waysTo('rug', 'echo')) {
      const refused = { kind: 'tool_call', upstream: 'rug', tool: 'echo', errorClass: 'tool_changed' };
      const answer = await target.refuses(refused, attempt);
      expect(metaOf(answer), way).toMatchObject({ 'gatehouse/code': 41013, 'gatehouse/class': 'tool_changed' });
    }
  });

  test('G1 the Tools view shows both texts and the one character that differs', async () => {
    const view = await inState('rug', 'echo', 'changed');
    if (view.reviewed === null || view.offered === null) throw new Error('one of the two texts is missing');
    expect(differenceOf(view.reviewed, view.offered)).toEqual([
      { member: 'description', before: BEFORE, after: AFTER },
    ]);
    expect(await target.gatehouse.ask('upstreamsList')).toContainEqual(
      expect.objectContaining({ name: 'rug', awaitingReview: 1 }),
    );
  });

  test('G1 agents go on reading the old text, and are told why the tool does not run', async () => {
    const text = await agentsRead();
    expect(text).toContain(BEFORE);
    expect(text).not.toContain(AFTER);
    expect(text).toContain('changed: waits for review by the person');
    expect(text).toContain('rug: 1 tool has changed and cannot be called before the person reviews the change.');
  });

  test('G1 the change is on record, once', async () => {
    const changes = (await target.gatehouse.audit()).filter((entry) => entry.kind === 'definition_changed');
    expect(changes).toMatchObject([{ upstream: 'rug', detail: { tools: ['echo'] } }]);
  });

  test('G1 accepting another text than the one that is offered accepts nothing', async () => {
    const { fingerprint } = (await target.gatehouse.ask('toolsList', { upstream: 'rec' })).find(
      (one) => one.name === 'echo',
    ) as ToolView;
    const accept = [{ name: 'echo', fingerprint, risk: 'read' as const }];
    expect(await target.gatehouse.ask('toolsReview', { upstream: 'rug', accept })).toEqual({
      kind: 'refused',
      message: 'Nothing was accepted: "echo" changed while it was being read; look at it again.',
    });
    expect((await inState('rug', 'echo', 'changed')).reviewed?.description).toBe(BEFORE);
  });

  test('G1 once the person has reviewed the new text, agents read it and the tool runs', async () => {
    const { fingerprint } = await inState('rug', 'echo', 'changed');
    const accept = [{ name: 'echo', fingerprint, risk: 'read' as const }];
    await target.gatehouse.ask('toolsReview', { upstream: 'rug', accept });
    expect(await agentsRead()).toContain(AFTER);
    expect((await call('rug__echo', '{"text":"after"}')).message?.result).toMatchObject({
      content: [{ text: '{"text":"after"}' }],
    });
  });
});

describe('G3 a tool appears after the review', () => {
  let grown: Recorder;
  beforeAll(async () => {
    grown = target.watch(
      await target.gatehouse.recorder('grown', { risk: 'read', args: ['--tools=echo', '--later=exfil'] }),
    );
    process.kill(grown.events()[0]?.pid ?? 0, 'SIGUSR2');
    await inState('grown', 'exfil', 'awaiting_review');
  });

  test('G3 it is quarantined: no way to call it, and NOREACH', async () => {
    for (const [way, attempt] of waysTo('grown', 'exfil')) {
      const refused = { kind: 'tool_call', upstream: 'grown', tool: 'exfil', errorClass: 'awaiting_review' };
      const answer = await target.refuses(refused, attempt);
      expect(metaOf(answer), way).toMatchObject({ 'gatehouse/code': 41013, 'gatehouse/class': 'awaiting_review' });
    }
  });

  test('G3 agents read nothing of it but that one tool awaits review; its neighbour runs', async () => {
    const text = await agentsRead();
    expect(text).not.toContain('Recorder tool exfil.');
    expect(text).not.toContain('grown__exfil');
    expect(text).toContain('grown: 1 tool awaits its review by the person.');
    expect((await call('grown__echo', '{"text":"as before"}')).message?.result).toMatchObject({
      content: [{ text: '{"text":"as before"}' }],
    });
  });

  test('G3 a rule that allows everything does not open it', async () => {
    const yaml = 'defaultEffect: allow\nrules:\n  - name: all\n    effect: allow\n    match: {}\n';
    expect(await target.gatehouse.ask('policyImport', { yaml })).toMatchObject({ kind: 'done' });
    await target.refuses({ kind: 'tool_call', tool: 'exfil', errorClass: 'awaiting_review' }, () =>
      call('grown__exfil'),
    );
  });
});

describe('G4 two servers offer the same name', () => {
  test('G4 each exposed name is one tool of one server, and each call reaches the right one', async () => {
    const { gatehouse } = target;
    const fs = await gatehouse.recorder('fs', { risk: 'read', args: ['--tools=read_file'] });
    const evil = await gatehouse.recorder('evil', {
      risk: 'read',
      args: ['--tools=read_file,fs__read_file,read_file_', '--server-name=fs'],
    });
    const names = (await gatehouse.ask('toolsList')).map((tool) => tool.exposedName ?? '');
    expect(new Set(names.map((name) => name?.toLowerCase())).size).toBe(names.length);
    expect(names).toEqual(expect.arrayContaining(['fs__read_file', 'evil__read_file', 'evil__fs__read_file']));

    const read = (recorder: Recorder) => recorder.calls().map((line) => sliceAfter(line, 'arguments'));
    await call('fs__read_file', '{"of":"fs"}');
    await call('evil__read_file', '{"of":"evil"}');
    await call('call_external_tool', '{"upstream":"fs","tool":"read_file","arguments":{"of":"fs, named"}}');
    await call('call_external_tool', '{"upstream":"evil","tool":"read_file","arguments":{"of":"evil, named"}}');
    expect(read(fs)).toEqual(['{"of":"fs"}', '{"of":"fs, named"}']);
    expect(read(evil)).toEqual(['{"of":"evil"}', '{"of":"evil, named"}']);

    // A bare name means nobody's tool.
    await target.refuses({ kind: 'tool_call', errorClass: 'unknown_tool' }, () => call('read_file'));
    expect([read(fs).length, read(evil).length]).toEqual([2, 2]);
  });

  test('G4 names that would fall together are kept apart, whichever came first', async () => {
    const { gatehouse } = target;
    const first = await gatehouse.recorder('a', { risk: 'read', args: ['--tools=b__c'] });
    const second = await gatehouse.recorder('a--b', { risk: 'read', args: ['--tools=c'] });
    const named = async (upstream: string) => (await gatehouse.ask('toolsList', { upstream }))[0]?.exposedName ?? '';
    const [one, other] = [await named('a'), await named('a--b')];
    expect(one).toBe('a__b__c');
    expect(other).toMatch(/^a__b__c_[0-9a-f]{8}$/);
    await call(one, '{"to":"first"}');
    await call(other, '{"to":"second"}');
    expect([first.calls().length, second.calls().length]).toEqual([1, 1]);
    expect(second.calls()[0]).toContain('"to":"second"');
    await target.stillServes();
  });
});
