import { join } from 'node:path';
import { expect, test } from 'vitest';
import { httpRecorder } from '../core/upstreams/rig.ts';
import { eventually, startGatehouse } from '../support/gatehouse.ts';

test('find_tools says of a tool that is known from before that its upstream needs a sign-in, and a call says it too', async () => {
  await using gatehouse = await startGatehouse();
  const { secret } = await gatehouse.key();
  const record = join(gatehouse.folder, 'remote.jsonl');
  const open = await httpRecorder(record);
  const added = await gatehouse.ask('upstreamAdd', { name: 'remote', transport: { kind: 'http', url: open.url } });
  if (added.kind !== 'done') throw new Error(added.message);
  const { id } = added.upstream;
  const tools = await eventually(async () => {
    const listed = await gatehouse.ask('toolsList', { upstream: id });
    return listed.length > 0 ? listed : null;
  }, 'the tools');
  await gatehouse.ask('toolsReview', {
    upstream: id,
    accept: tools.map(({ name, fingerprint }) => ({ name, fingerprint, risk: 'read' as const })),
  });
  const hit = async () => {
    const answer = await gatehouse.call(secret, 'find_tools', '{"query":"echo","upstream":"remote","limit":1}');
    const { tools: found } = (answer.message?.result?.structuredContent ?? { tools: [] }) as {
      tools: readonly Record<string, unknown>[];
    };
    return found[0];
  };
  expect(await hit()).toMatchObject({ upstream: 'remote', tool: 'echo', decision: 'allow' });
  expect(await hit()).not.toHaveProperty('needs_sign_in');

  await open.stop();
  await httpRecorder(record, `--port=${open.port}`, '--token=of-the-person');
  await gatehouse.ask('upstreamDisable', { upstream: id });
  await gatehouse.ask('upstreamEnable', { upstream: id });
  await eventually(async () => ((await hit())?.needs_sign_in === true ? true : null), 'needs_sign_in', 15_000);
  const refused = await gatehouse.call(secret, 'remote__echo', '{"text":"hello"}');
  expect(refused.message?.result).toMatchObject({ isError: true, _meta: { 'gatehouse/class': 'auth_required' } });
  const link = `http://127.0.0.1:${gatehouse.port}/open/connections/remote`;
  expect(refused.message?.result).toMatchObject({
    content: [{ text: expect.stringContaining(`auth_required: remote not connected. Visit ${link} to authorize.`) }],
    _meta: { 'gatehouse/link': link },
  });
  expect(await hit()).toMatchObject({ note: `not connected. Visit ${link} to authorize.` });
  const page = await (await fetch(link)).text();
  expect(page).toContain('/open/connections/remote?focus');
  expect(page).toContain('the accounts of remote');
  expect((await fetch(link.replace('remote', 'Remote%3Cb'))).status).toBe(404);
});
