import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { httpRecorder, recorded } from '../core/upstreams/rig.ts';
import { watchSecret } from '../support/canary.ts';
import { eventually, startGatehouse, type TestGatehouse } from '../support/gatehouse.ts';
import { targetOf } from '../support/target.ts';

const KEY = 'canary-api-key-of-the-person';
watchSecret(KEY);

describe('J7 a redirect of the MCP endpoint to another origin is refused, and nothing of ours gets there', () => {
  test.each([
    [307, { in: 'header', name: 'X-Api-Key' }],
    [308, { in: 'header', name: 'Authorization', prefix: 'Bearer ' }],
    [302, { in: 'query', name: 'api_key' }],
  ] as const)('HTTP %s, with a key in %j', async (status, place) => {
    await using gatehouse = await startGatehouse();
    const rec = await gatehouse.recorder('rec', { risk: 'read' });
    const [attacked, bystander] = [await gatehouse.key(), await gatehouse.key()];
    const target = targetOf(gatehouse, rec, attacked, bystander);
    const evilFile = join(gatehouse.folder, 'evil.jsonl');
    const file = join(gatehouse.folder, 'server.jsonl');
    const evil = await httpRecorder(evilFile);
    const server = await httpRecorder(file, `--redirect-on-call=${evil.url}`, `--redirect-status=${status}`);
    await connectedWithKey(gatehouse, server.url, place);

    const called = await gatehouse.call(attacked.secret, 'redirected__echo', '{"text":"canary-argument"}');
    expect(called.message?.result, called.text).toMatchObject({
      isError: true,
      _meta: { 'gatehouse/class': 'upstream_unreachable' },
    });
    expect(called.text).toContain(`redirects to another address, which is not followed (HTTP ${status})`);
    const calls = recorded(file).filter(({ body }) => body?.includes('"tools/call"'));
    expect(JSON.stringify(calls), 'the server itself got the key').toContain(KEY);
    expect(recorded(evilFile).filter(({ kind }) => kind === 'request')).toEqual([]);
    expect(called.text).not.toContain(KEY);
    const entries = await gatehouse.audit((all) => all.some((one) => one.errorClass === 'upstream_unreachable'));
    expect(entries.filter(({ errorClass }) => errorClass === 'upstream_unreachable')).toHaveLength(1);
    await target.stillServes();
  });
});

describe('J9 over plain http to another machine nothing secret is sent', () => {
  test('a header from the vault, an API key and its sign-in are refused, each with what to do', async () => {
    await using gatehouse = await startGatehouse();
    const url = 'http://example.com/mcp';
    const withHeader = await gatehouse.ask('upstreamAdd', {
      name: 'plain',
      transport: { kind: 'http', url, secretHeaders: ['Authorization'] },
      secrets: { Authorization: `Bearer ${KEY}` },
    });
    expect(withHeader).toMatchObject({
      kind: 'refused',
      message:
        'Headers with secrets are not sent to example.com over plain http, where anybody on the way reads them. Use https.',
    });
    const added = await gatehouse.ask('upstreamAdd', { name: 'plain', transport: { kind: 'http', url } });
    if (added.kind !== 'done') throw new Error(added.message);
    const upstream = added.upstream.id;
    for (const place of [
      { in: 'header', name: 'X-Api-Key' },
      { in: 'query', name: 'key' },
    ] as const) {
      expect(await gatehouse.ask('upstreamSignIn', { upstream, signIn: { kind: 'api_key', place } })).toMatchObject({
        kind: 'refused',
        message: 'A key is not sent to example.com over plain http, where anybody on the way reads it. Use https.',
      });
    }
    expect(await gatehouse.ask('connectionsList', {})).toEqual([]);
  });
});

async function connectedWithKey(
  gatehouse: TestGatehouse,
  url: string,
  place: { readonly in: 'header' | 'query'; readonly name: string; readonly prefix?: string },
): Promise<void> {
  const added = await gatehouse.ask('upstreamAdd', { name: 'redirected', transport: { kind: 'http', url } });
  if (added.kind !== 'done') throw new Error(added.message);
  const upstream = added.upstream.id;
  const set = await gatehouse.ask('upstreamSignIn', { upstream, signIn: { kind: 'api_key', place } });
  if (set.kind !== 'done') throw new Error(set.message);
  const started = await gatehouse.ask('signInStart', { upstream, label: 'work', secret: KEY });
  if (started.kind !== 'done') throw new Error(started.message);
  await eventually(async () => {
    const [account] = await gatehouse.ask('connectionsList', { upstream });
    return account?.state === 'connected' ? account : null;
  }, 'the account');
  const tools = await eventually(async () => {
    const listed = await gatehouse.ask('toolsList', { upstream });
    return listed.length > 0 ? listed : null;
  }, 'the tools');
  await gatehouse.ask('toolsReview', {
    upstream,
    accept: tools.map(({ kind, name, fingerprint }) => ({ kind, name, fingerprint, risk: 'read' as const })),
  });
}
