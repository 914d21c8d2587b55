import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { besideOf } from '../../electron/core/call/beside.ts';
import { type Recorder, startGatehouse, type TestGatehouse, type TestKey } from '../support/gatehouse.ts';

/*
 * Members of `params` that the protocol does not name go on as they were written, yet never anything that could change
 * which tool runs or with what, and never with a call that runs because a person said yes to its arguments.
 */

const UNKNOWN = '"x-trace":{"n":9007199254740993,"10":1.0,"2":null},"名":1.50';
const ENVELOPE =
  '"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"a","version":"1"}}';

let gatehouse: TestGatehouse;
let key: TestKey;
let recorder: Recorder;

beforeAll(async () => {
  gatehouse = await startGatehouse();
  key = await gatehouse.key({ name: 'agent' });
  recorder = await gatehouse.recorder('files', {
    args: ['--tools=echo,write_file,delete_all'],
    risks: { echo: 'read', write_file: 'write', delete_all: 'destructive' },
  });
});
afterAll(() => gatehouse.close());

function call(name: string, params: string, path = '/u/files/mcp') {
  const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': name };
  const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":${JSON.stringify(name)},${params},${ENVELOPE}}}`;
  return gatehouse.post(key.secret, body, { path, headers });
}
const last = () => recorder.calls().at(-1) ?? '';

describe('a call that the policy allows', () => {
  test.each([
    ['on the endpoint of its upstream', 'echo', '"arguments":{"text":"a"}', '/u/files/mcp'],
    ['by its exposed name', 'files__echo', '"arguments":{"text":"b"}', '/mcp'],
    [
      'through call_external_tool',
      'call_external_tool',
      '"arguments":{"upstream":"files","tool":"echo","arguments":{"text":"c"}}',
      '/mcp',
    ],
  ])('takes members nobody knows along, as they were written: %s', async (_where, name, params, path) => {
    const before = recorder.calls().length;
    const answer = await call(name, `${params},${UNKNOWN}`, path);
    expect(answer.message?.result, answer.text).toMatchObject({ content: [{ type: 'text' }] });
    expect(recorder.calls().length).toBe(before + 1);
    expect(last()).toContain(`"params":{${UNKNOWN},"name":"echo","arguments":{"text":`);
  });

  test('is recorded with them', async () => {
    await call('echo', `"arguments":{"text":"recorded"},"x-secret":1.0,"password":"hunter2-hunter2"`);
    const entries = await gatehouse.audit((all) =>
      all.some(({ detail }) => JSON.stringify(detail.beside ?? '').includes('x-secret')),
    );
    const entry = entries.find(({ detail }) => JSON.stringify(detail.beside ?? '').includes('x-secret'));
    expect(entry).toMatchObject({
      phase: 'forwarded',
      detail: { besideSha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
    expect(JSON.stringify(entry)).not.toContain('hunter2');
  });

  test.each([
    '"Name":"delete_all"',
    '"NAME":"delete_all"',
    '"na\\u006de ":"delete_all"',
    '"\\uff4eame":"delete_all"',
    '"tool":"delete_all"',
    '"tool_name":"delete_all"',
    '"Arguments":{"path":"/"}',
    '"argument\\u017f":{"path":"/"}',
    '"args":{"path":"/"}',
    '"_Meta":{"a":1}',
    '"__proto__":{"name":"delete_all"}',
    '"task":{"ttl":1000}',
    '"RequestState":"x"',
    '"uri":"file:///etc/passwd"',
  ])('goes without what could pass for its name or its arguments: %s', async (member) => {
    const answer = await call('echo', `${member},"arguments":{"text":"only"},"x":1.0`);
    expect(answer.message?.result, answer.text).toMatchObject({ content: [{ text: '{"text":"only"}' }] });
    const params = JSON.parse(last()).params as Record<string, unknown>;
    expect(Object.keys(params).toSorted()).toEqual(
      ['_meta', 'arguments', 'name', 'x'].filter((name) => name in params),
    );
    expect(last()).not.toMatch(/delete_all|passwd|"path"/);
  });
});

describe('a call that a person was asked about', () => {
  test('runs with what the card showed and nothing else, and the record names what was left out', async () => {
    const answering = call('write_file', `"arguments":{"text":"shown"},${UNKNOWN}`);
    const card = await gatehouse.card();
    expect(card.argumentsText).toBe('{"text":"shown"}');
    await gatehouse.approve(card);
    expect((await answering).message?.result).toMatchObject({ content: [{ text: '{"text":"shown"}' }] });
    expect(last()).toContain('"name":"write_file","arguments":{"text":"shown"}');
    expect(last()).not.toMatch(/x-trace|名/);
    const entries = await gatehouse.audit((all) => all.some(({ detail }) => detail.leftOut !== undefined));
    expect(entries.find(({ detail }) => detail.leftOut !== undefined)).toMatchObject({
      phase: 'forwarded',
      tool: 'write_file',
      detail: { leftOut: ['x-trace', '名'] },
    });
  });

  test('goes without them under a standing approval, and while its client is trusted, as well', async () => {
    const answering = call('write_file', '"arguments":{"text":"standing"},"x":1.0');
    const { id, argumentsSha256 } = await gatehouse.card();
    const said = await gatehouse.ask('approvalApprove', { approval: id, argumentsSha256, scope: 'tool' });
    expect(said, JSON.stringify(said)).toMatchObject({ kind: 'done' });
    await answering;
    const again = await call('write_file', '"arguments":{"text":"later"},"x":1.0');
    expect(again.message?.result, again.text).toMatchObject({ content: [{ text: '{"text":"later"}' }] });
    expect(last()).toContain('"later"');
    expect(last()).not.toContain('"x"');
    const trusted = { effect: 'allow', rule: null, reason: '', standing: null, trust: 'id' } as const;
    expect(besideOf('{"x":1.0}', trusted)).toEqual({ text: '{}', leftOut: ['x'] });
  });
});
