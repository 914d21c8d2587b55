import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { UpstreamTransport } from '../../../shared/model.ts';
import { httpRecorder, isAlive, recorded, rig, stdioRecorder, waitFor } from './rig.ts';

const starts = (file: string) => recorded(file).filter((entry) => entry.kind === 'started').length;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A server that hangs at its handshake for as long as a file is there. */
function hangsWhile(file: string): UpstreamTransport {
  const script = `
    const {existsSync} = require('node:fs');
    require('node:readline').createInterface({input: process.stdin}).on('line', (line) => {
      const {id, method} = JSON.parse(line);
      if (id === undefined || existsSync(${JSON.stringify(file)})) return;
      const result = method === 'initialize'
        ? {protocolVersion: '2025-11-25', capabilities: {tools: {}}, serverInfo: {name: 'x', version: '1'}}
        : method === 'tools/list' ? {tools: []} : {content: []};
      console.log(JSON.stringify({jsonrpc: '2.0', id, result}));
    });`;
  return { kind: 'stdio', command: process.execPath, args: ['-e', script], secretEnv: [], cwd: null };
}

describe('when an upstream starts', () => {
  test('at the start of Gatehouse, or with its first call, as the person set it', async () => {
    const first = rig();
    const [eager, lazy] = ['eager', 'lazy'].map((name) => join(first.folder, name)) as [string, string];
    const one = await first.addReady('eager', stdioRecorder(eager));
    const other = await first.addReady('lazy', stdioRecorder(lazy), {}, { start: 'on_demand' });
    await first.upstreams.stopAll();
    const second = rig({ db: first.db });
    second.upstreams.startAll();
    await second.until(one.id, 'ready');
    expect(second.upstreams.get(other.id)).toMatchObject({
      status: 'stopped',
      reason: 'It starts with the next call.',
    });
    expect([starts(eager), starts(lazy)]).toEqual([2, 1]);
    expect(await second.call(other.id, 'echo')).toMatchObject({ kind: 'answered' });
    expect(starts(lazy)).toBe(2);
  });

  test('what it can do is known before its first call', async () => {
    const first = rig();
    const view = await first.addReady('lazy', stdioRecorder(join(first.folder, 'a')), {}, { start: 'on_demand' });
    const known = first.upstreams.capabilities(view.id);
    expect(known).toHaveProperty('tools');
    await first.upstreams.stopAll();
    expect(rig({ db: first.db }).upstreams.capabilities(view.id)).toEqual(known);
  });
});

describe('an idle process', () => {
  test('is stopped after its time and comes back with the next call', async () => {
    const it = rig();
    const file = join(it.folder, 'record');
    const view = await it.addReady('x', stdioRecorder(file), {}, { idleStopMs: 300 });
    await it.until(view.id, 'stopped');
    await waitFor(() => !isAlive(view.pid ?? 0), 'its end');
    expect(it.events.at(-1)).toMatchObject({ kind: 'upstream_stopped', detail: { idle: true } });
    expect(it.upstreams.get(view.id)?.reason).toBe('It starts with the next call.');
    expect(await it.call(view.id, 'echo')).toMatchObject({ kind: 'answered' });
    expect(starts(file)).toBe(2);
    await it.until(view.id, 'stopped');
  });

  test('is not idle while a call runs, however long that takes', async () => {
    const it = rig();
    const file = join(it.folder, 'record');
    const view = await it.addReady('x', stdioRecorder(file), {}, { idleStopMs: 200 });
    const long = it.call(view.id, 'slow', '{"ms":900}');
    expect(await it.call(view.id, 'echo')).toMatchObject({ kind: 'answered' });
    expect(await long).toMatchObject({ kind: 'answered' });
    expect(starts(file)).toBe(1);
    expect(it.upstreams.get(view.id)?.pid).toBe(view.pid);
  });

  test('a call that comes while it is being stopped is answered by the next process', async () => {
    const it = rig();
    const file = join(it.folder, 'record');
    const view = await it.addReady('x', stdioRecorder(file, '--ignore-sigterm'), {}, { idleStopMs: 200 });
    await it.until(view.id, 'stopped');
    expect(isAlive(view.pid ?? 0)).toBe(true);
    expect(await it.call(view.id, 'echo')).toMatchObject({ kind: 'answered' });
    expect(isAlive(view.pid ?? 0)).toBe(false);
    expect(it.upstreams.get(view.id)?.status).toBe('ready');
  });

  test('without a time set it runs on; the time can be set while it runs, and needs no new start', async () => {
    const it = rig();
    const file = join(it.folder, 'record');
    const view = await it.addReady('x', stdioRecorder(file));
    await pause(400);
    expect(it.upstreams.get(view.id)?.status).toBe('ready');
    expect(await it.upstreams.change(view.id, { idleStopMs: 200 })).toMatchObject({ kind: 'done' });
    await it.until(view.id, 'stopped');
    expect(starts(file)).toBe(1);
  });

  test('only a process can be stopped for being idle', async () => {
    const it = rig();
    const server = await httpRecorder(join(it.folder, 'record'));
    const view = await it.addReady('x', server.transport);
    expect(await it.upstreams.change(view.id, { idleStopMs: 60_000 })).toEqual({
      kind: 'refused',
      message:
        'Only an upstream with a command has a process that can be stopped when idle, or be one for each client.',
    });
  });
});

describe('a failed upstream', () => {
  test('a call that finds it being started again after a failure is answered within a second', async () => {
    const it = rig({ limits: { startMs: 1_500, probeMs: 100, backoffMs: 10 } });
    const { id } = await it.add('hung', stdioRecorder(join(it.folder, 'record'), '--silent'));
    await it.until(id, 'failed');
    await it.until(id, 'starting');
    const began = performance.now();
    expect(await it.call(id, 'echo')).toEqual({
      kind: 'failed',
      errorClass: 'upstream_timeout',
      message: 'hung is being started again. hung was started, but did not answer within 1.5 s.',
    });
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  test('one that comes back quickly answers the call that found it being started again', async () => {
    const it = rig({ limits: { startMs: 700, probeMs: 100, backoffMs: 10 } });
    const hang = join(it.folder, 'hang');
    writeFileSync(hang, '');
    const { id } = await it.add('x', hangsWhile(hang));
    await it.until(id, 'failed');
    rmSync(hang);
    await it.until(id, 'starting');
    expect(await it.call(id, 'any')).toMatchObject({ kind: 'answered' });
  });
});

describe('a manual restart', () => {
  test('works on one that hangs at its start, at once', async () => {
    const it = rig({ limits: { startMs: 30_000, probeMs: 100 } });
    const hang = join(it.folder, 'hang');
    writeFileSync(hang, '');
    const { id } = await it.add('x', hangsWhile(hang));
    await pause(300);
    expect(it.upstreams.get(id)?.status).toBe('starting');
    rmSync(hang);
    const began = performance.now();
    expect(await it.upstreams.restart(id)).toMatchObject({ kind: 'done', upstream: { status: 'ready' } });
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  test('works on one that runs, is stopped, or has failed for good', async () => {
    const it = rig({ limits: { startsPerMinute: 2 } });
    const file = join(it.folder, 'record');
    const running = await it.addReady('running', stdioRecorder(file));
    const again = await it.upstreams.restart(running.id);
    expect(again).toMatchObject({ kind: 'done', upstream: { status: 'ready' } });
    expect(again.kind === 'done' && again.upstream.pid).not.toBe(running.pid);
    expect(isAlive(running.pid ?? 0)).toBe(false);

    const idle = await it.addReady('idle', stdioRecorder(join(it.folder, 'idle')), {}, { idleStopMs: 100 });
    await it.until(idle.id, 'stopped');
    expect(await it.upstreams.restart(idle.id)).toMatchObject({ kind: 'done', upstream: { status: 'ready' } });

    const marker = join(it.folder, 'marker');
    const script = `[ -e "$1" ] || exit 3; exec "$2" "$3" "$4"`;
    const recorder = stdioRecorder(join(it.folder, 'late')) as { args: readonly string[] };
    const args = ['-c', script, 'sh', marker, process.execPath, ...recorder.args];
    const late = await it.add('late', { kind: 'stdio', command: '/bin/sh', args, secretEnv: [], cwd: null });
    await waitFor(() => it.upstreams.get(late.id)?.reason?.includes('not started again by itself'), 'the end');
    writeFileSync(marker, '');
    expect(await it.upstreams.restart(late.id)).toMatchObject({ kind: 'done', upstream: { status: 'ready' } });
  });

  test('of one that is disabled says so', async () => {
    const it = rig();
    const { id } = await it.addReady('x', stdioRecorder(join(it.folder, 'record')));
    await it.upstreams.setEnabled(id, false);
    expect(await it.upstreams.restart(id)).toEqual({ kind: 'refused', message: 'x is disabled. Enable it first.' });
  });
});
