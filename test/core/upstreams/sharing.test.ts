import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isAlive, received, recorded, rig, stdioRecorder, waitFor } from './rig.ts';

const starts = (file: string) =>
  recorded(file)
    .filter((entry) => entry.kind === 'started')
    .map(({ pid }) => pid);
const callers = (file: string) =>
  recorded(file)
    .filter((entry) => entry.raw?.includes('"tools/call"'))
    .map(({ pid }) => pid);

test('one process serves every client unless the person set it otherwise', async () => {
  const it = rig();
  const file = join(it.folder, 'record');
  const view = await it.addReady('x', stdioRecorder(file));
  for (const clientId of ['a', 'b', 'a']) await it.call(view.id, 'echo', '{}', { clientId });
  expect(callers(file)).toEqual([view.pid, view.pid, view.pid]);
});

describe('one process for each session of a client', () => {
  test('calls of one session reach one process, those of another session another, and none the one that lists', async () => {
    const it = rig();
    const file = join(it.folder, 'record');
    const view = await it.addReady('x', stdioRecorder(file), {}, { share: 'per_client' });
    for (const clientId of ['a', 'b', 'a']) {
      expect(await it.call(view.id, 'echo', '{}', { clientId })).toMatchObject({ kind: 'answered' });
    }
    const [a, b, again] = callers(file);
    expect(again).toBe(a);
    expect(new Set([a, b, view.pid]).size).toBe(3);
    expect(starts(file)).toHaveLength(3);
    expect(received(file, 'tools/list')).toHaveLength(1);
  });

  test('its process ends with the session, and all end when Gatehouse stops', async () => {
    const it = rig();
    const file = join(it.folder, 'record');
    const view = await it.addReady('x', stdioRecorder(file), {}, { share: 'per_client' });
    await it.call(view.id, 'echo', '{}', { clientId: 'a' });
    await it.call(view.id, 'echo', '{}', { clientId: 'b' });
    const [a, b] = callers(file) as [number, number];
    it.upstreams.forgetSession('a');
    await waitFor(() => !isAlive(a), 'the end of the process of the session that ended');
    expect([isAlive(b), isAlive(view.pid ?? 0)]).toEqual([true, true]);
    await it.upstreams.stopAll();
    expect(starts(file).filter(isAlive)).toEqual([]);
    expect(it.db.prepare('SELECT count(*) AS n FROM upstream_processes').get()).toEqual({ n: 0 });
  });

  test('one that crashes disturbs no other client, and is started anew for the next call', async () => {
    const it = rig();
    const file = join(it.folder, 'record');
    const view = await it.addReady('x', stdioRecorder(file), {}, { share: 'per_client' });
    const other = it.call(view.id, 'slow', '{"ms":500}', { clientId: 'b' });
    expect(await it.call(view.id, 'crash', '{}', { clientId: 'a' })).toMatchObject({ errorClass: 'upstream_crashed' });
    expect(await other).toMatchObject({ kind: 'answered' });
    expect(await it.call(view.id, 'echo', '{}', { clientId: 'a' })).toMatchObject({ kind: 'answered' });
    expect(it.upstreams.get(view.id)).toMatchObject({ status: 'ready', pid: view.pid });
  });

  test('a client whose process ends again and again gets five a minute, and others go on', async () => {
    const it = rig();
    const file = join(it.folder, 'record');
    const view = await it.addReady('x', stdioRecorder(file), {}, { share: 'per_client' });
    for (let i = 0; i < 5; i += 1) {
      expect(await it.call(view.id, 'crash', '{}', { clientId: 'a' })).toMatchObject({
        errorClass: 'upstream_crashed',
      });
    }
    expect(await it.call(view.id, 'echo', '{}', { clientId: 'a' })).toEqual({
      kind: 'failed',
      errorClass: 'upstream_unreachable',
      message: 'x ended 5 times within 60 s for this client. Its last lines say why; call again in a minute.',
    });
    expect(starts(file)).toHaveLength(6);
    expect(await it.call(view.id, 'echo', '{}', { clientId: 'b' })).toMatchObject({ kind: 'answered' });
  });

  test('the upstream is told what this client can be asked, and nothing else', async () => {
    const it = rig();
    const file = join(it.folder, 'record');
    const view = await it.addReady('x', stdioRecorder(file), {}, { share: 'per_client' });
    const caller = {
      clientId: 'a',
      sessionKey: 'a',
      era: 'legacy',
      capabilities: { roots: {} },
      logLevel: null,
    } as const;
    await it.call(view.id, 'echo', '{}', { caller });
    const told = received(file, 'initialize').map((raw) => JSON.parse(raw).params.capabilities);
    expect(told.at(-1)).toEqual({ roots: {} });
  });
});
