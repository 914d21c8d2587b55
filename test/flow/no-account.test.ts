import { join } from 'node:path';
import { expect, test } from 'vitest';
import { newSecret } from '../support/canary.ts';
import { eventually, startGatehouse } from '../support/gatehouse.ts';
import { RECORDER, recorded } from '../support/headless.ts';

test('an upstream at which nobody signs in any more is called without its account of before, which is back when that is set again', async () => {
  await using gatehouse = await startGatehouse();
  const file = join(gatehouse.folder, 'record-proc.jsonl');
  const added = await gatehouse.ask('upstreamAdd', {
    name: 'proc',
    transport: { kind: 'stdio', command: process.execPath, args: [RECORDER, file] },
  });
  if (added.kind !== 'done') throw new Error(added.message);
  const tools = await eventually(async () => {
    const listed = await gatehouse.ask('toolsList', { upstream: 'proc' });
    return listed.length > 0 ? listed : null;
  }, 'the tools');
  const accept = tools.map(({ name, fingerprint }) => ({ name, fingerprint, risk: 'read' as const }));
  await gatehouse.ask('toolsReview', { upstream: 'proc', accept });
  const { secret } = await gatehouse.key();
  const key = newSecret('key');
  const byKey = { kind: 'api_key', place: { in: 'environment', name: 'TOKEN' } } as const;
  const startedWith = (token: string | undefined) => {
    const last = recorded(file).findLast(({ kind }) => kind === 'started');
    return (last?.env as { readonly TOKEN?: string } | undefined)?.TOKEN === token;
  };
  const answers = () =>
    eventually(
      async () => {
        const { message } = await gatehouse.call(secret, 'proc__echo', '{"text":"x"}');
        return message?.result?.isError === true ? null : true;
      },
      'an answer',
      10_000,
    );

  await gatehouse.ask('upstreamSignIn', { upstream: 'proc', signIn: byKey });
  await gatehouse.ask('signInStart', { upstream: 'proc', label: 'work', secret: key });
  await eventually(() => (startedWith(key) ? true : null), 'a process with the key', 10_000);
  await answers();

  await gatehouse.ask('upstreamSignIn', { upstream: 'proc', signIn: { kind: 'none' } });
  await eventually(() => (startedWith(undefined) ? true : null), 'a process without the key', 10_000);
  await answers();

  await gatehouse.ask('upstreamSignIn', { upstream: 'proc', signIn: byKey });
  await eventually(() => (startedWith(key) ? true : null), 'a process with the key again', 10_000);
  await answers();
  expect(await gatehouse.ask('connectionsList')).toMatchObject([{ label: 'work', state: 'connected' }]);
});
