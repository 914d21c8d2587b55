import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { UpstreamTransport } from '../../../shared/model.ts';
import { httpRecorder, NODE, received, recorded, rig, stdioRecorder, waitFor } from './rig.ts';

const LEGACY_CALLER = { clientId: 'c', sessionKey: 's', era: 'legacy', capabilities: {}, logLevel: null } as const;
const notModern = (name: string) =>
  `${name} is set to the modern era (2026-07-28), which it does not speak. To have it asked: gatehouse upstreams set ${name} --era auto`;

test('an upstream set to legacy is not asked for its era, though it speaks both', async () => {
  const it = rig();
  const stdio = join(it.folder, 'stdio');
  const view = await it.addReady('x', stdioRecorder(stdio, '--era=dual'), {}, { era: 'legacy' });
  expect(view.era).toBe('legacy');
  expect(await it.call(view.id, 'echo')).toMatchObject({ kind: 'answered' });
  expect(received(stdio, 'server/discover')).toEqual([]);
  await it.upstreams.change(view.id, { era: 'auto' });
  await waitFor(() => it.upstreams.get(view.id)?.era === 'modern', 'the era it was asked for');

  const http = join(it.folder, 'http');
  const server = await httpRecorder(http, '--era=dual');
  const remote = await it.addReady('y', server.transport, {}, { era: 'legacy' });
  expect(remote.era).toBe('legacy');
  expect(await it.call(remote.id, 'echo')).toMatchObject({ kind: 'answered' });
  expect(received(http, 'server/discover')).toEqual([]);
});

test('an upstream set to modern is called in that era for a legacy caller too', async () => {
  const it = rig();
  const file = join(it.folder, 'record');
  const server = await httpRecorder(file, '--era=dual');
  const { id } = await it.addReady('x', server.transport, {}, { era: 'modern' });
  expect(await it.call(id, 'echo', '{}', { caller: LEGACY_CALLER })).toMatchObject({ kind: 'answered' });
  expect(received(file, 'tools/call')[0]).toContain('"io.modelcontextprotocol/protocolVersion":"2026-07-28"');
  expect(received(file, 'initialize')).toEqual([]);
  await it.upstreams.change(id, { era: 'auto' });
  await it.until(id, 'ready');
  expect(await it.call(id, 'echo', '{}', { caller: LEGACY_CALLER })).toMatchObject({ kind: 'answered' });
  expect(received(file, 'initialize')).toHaveLength(1);
});

test('a server that speaks only legacy and is set to modern fails with a sentence, and auto brings it back', async () => {
  const it = rig();
  const file = join(it.folder, 'record');
  const { id, era } = await it.addReady('x', stdioRecorder(file));
  expect(era).toBe('legacy');
  expect(await it.upstreams.change(id, { era: 'modern' })).toMatchObject({ kind: 'done' });
  expect((await it.until(id, 'failed')).reason).toBe(notModern('x'));
  expect(await it.call(id, 'echo')).toMatchObject({ kind: 'failed', message: notModern('x') });
  expect(received(file, 'initialize')).toHaveLength(1);
  await it.upstreams.change(id, { era: 'auto' });
  expect((await it.until(id, 'ready')).era).toBe('legacy');
  // At its first start, when it was set to modern, and now: what was found out before is not used.
  expect(received(file, 'server/discover')).toHaveLength(3);
  expect(recorded(file).filter(({ kind }) => kind === 'started')).toHaveLength(3);
});

test.each([['legacy'], ['legacy', '--sse-only']])(
  'an address where only legacy is spoken (%s %s) and that is set to modern fails with a sentence',
  async (era, ...more) => {
    const it = rig();
    const file = join(it.folder, 'record');
    const server = await httpRecorder(file, `--era=${era}`, ...more);
    const { id } = await it.add('x', server.transport, {}, { era: 'modern' });
    expect((await it.until(id, 'failed')).reason).toBe(notModern('x'));
    expect(received(file, 'initialize')).toEqual([]);
  },
);

test('an address where nothing listens is not said to speak another era', async () => {
  const it = rig();
  const server = await httpRecorder(join(it.folder, 'record'));
  await server.stop();
  const { id } = await it.add('x', server.transport, {}, { era: 'modern' });
  expect((await it.until(id, 'failed')).reason).toContain('nothing listens');
});

test('a server set to modern may take as long over the question for its era as over any start', async () => {
  const it = rig({ limits: { probeMs: 100 } });
  const file = join(it.folder, 'record');
  const transport = stdioRecorder(file, '--era=modern', '--wake-after=800');
  expect((await it.addReady('x', transport, {}, { era: 'modern' })).era).toBe('modern');
  expect(received(file, 'server/discover')).toHaveLength(1);
});

test('a server set to modern that ends at the question is not started as legacy, and the setting is named', async () => {
  const it = rig({ limits: { startsPerMinute: 1 } });
  const args = ['-e', "process.stdin.once('data', () => process.exit(1))"];
  const transport: UpstreamTransport = { kind: 'stdio', command: NODE, args, secretEnv: [], cwd: null };
  const { id } = await it.add('x', transport, {}, { era: 'modern' });
  expect((await it.until(id, 'failed')).reason).toContain(
    'It is set to the modern era; it may speak only the other one. To have it asked: gatehouse upstreams set x --era auto',
  );
  expect(it.events.filter(({ kind }) => kind === 'upstream_failed')).toHaveLength(1);
});

test('a server that speaks only modern and is set to legacy fails, and the setting is named', async () => {
  const it = rig({ limits: { startsPerMinute: 1 } });
  const { id } = await it.add('x', stdioRecorder(join(it.folder, 'a'), '--era=modern'), {}, { era: 'legacy' });
  expect((await it.until(id, 'failed')).reason).toContain('It is set to the legacy era');
});

test('settings that were stored before there was an era to set are read as auto', async () => {
  const it = rig();
  const { id } = await it.addReady('x', stdioRecorder(join(it.folder, 'record')), {}, { era: 'legacy' });
  await it.upstreams.stopAll();
  it.db.exec("UPDATE upstreams SET settings = json_remove(settings, '$.era')");
  expect(rig({ db: it.db }).upstreams.get(id)?.settings.era).toBe('auto');
});

test('the era of the demo cannot be set', async () => {
  const it = rig();
  const { id } = await it.addReady('demo', { kind: 'demo' });
  expect(await it.upstreams.change(id, { era: 'modern' })).toEqual({
    kind: 'refused',
    message: 'The era of the demo cannot be set: it is part of Gatehouse and speaks only one.',
  });
});
