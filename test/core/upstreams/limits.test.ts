import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sizeInWords, spanInWords } from '../../../shared/amounts.ts';
import { LIMIT_RANGES } from '../../../shared/limits.ts';
import type { SettableLimits } from '../../../shared/model.ts';
import { httpRecorder, received, recorded, rig, stdioRecorder } from './rig.ts';

const MIB = 1024 * 1024;
const starts = (file: string) => recorded(file).filter((entry) => entry.kind === 'started').length;

test('a limit is set while the upstream runs, is in force for the next call, and is kept', async () => {
  const it = rig();
  const file = join(it.folder, 'record');
  const view = await it.addReady('slow', stdioRecorder(file));
  expect(view.limits.callMs).toBe(120_000);
  expect(await it.upstreams.change(view.id, { limits: { callMs: 1_000 } })).toMatchObject({ kind: 'done' });
  expect(await it.call(view.id, 'never')).toEqual({
    kind: 'failed',
    errorClass: 'upstream_timeout',
    message: 'slow did not answer within 1 s, its limit for a call without progress.',
  });
  expect(starts(file)).toBe(1);
  expect(it.events.filter((event) => event.kind === 'upstream_changed')).toMatchObject([
    { detail: { settings: { limits: { callMs: 1_000 } } } },
  ]);
  expect(rig({ db: it.db }).upstreams.get(view.id)?.limits.callMs).toBe(1_000);
  await it.upstreams.change(view.id, { limits: { callMs: null } });
  expect(it.upstreams.get(view.id)).toMatchObject({ limits: { callMs: 120_000 }, settings: { limits: {} } });
});

test('the limits of one upstream are not those of another', async () => {
  const it = rig();
  const one = await it.addReady('one', stdioRecorder(join(it.folder, 'a')), {}, { limits: { callMs: 1_000 } });
  const other = await it.addReady('other', stdioRecorder(join(it.folder, 'b')));
  const outcomes = await Promise.all([
    it.call(one.id, 'slow', '{"ms":1500}'),
    it.call(other.id, 'echo', '{"delayMs":1500}'),
    it.call(one.id, 'never'),
  ]);
  expect(outcomes.map((outcome) => outcome.kind)).toEqual(['answered', 'answered', 'failed']);
});

describe('past a limit there is an error class of its own, with the number', () => {
  test('a call with progress that goes on beyond its ceiling', async () => {
    const it = rig();
    const limits = { callMs: 1_000, ceilingMs: 1_500 };
    const view = await it.addReady('slow', stdioRecorder(join(it.folder, 'record')), {}, { limits });
    expect(await it.call(view.id, 'slow', '{"ms":9000}')).toEqual({
      kind: 'failed',
      errorClass: 'call_too_long',
      message: 'slow did not finish within 1.5 s, its limit for one call.',
    });
  });

  test('calls at once and calls that wait', async () => {
    const it = rig();
    const file = join(it.folder, 'record');
    const view = await it.addReady('busy', stdioRecorder(file), {}, { limits: { inFlight: 1, queued: 0 } });
    const first = it.call(view.id, 'slow', '{"ms":300}');
    expect(await it.call(view.id, 'echo')).toEqual({
      kind: 'failed',
      errorClass: 'upstream_busy',
      message: 'busy has 1 calls in flight and 0 waiting already, its limits.',
    });
    expect(await first).toMatchObject({ kind: 'answered' });
    expect(received(file, 'tools/call')).toHaveLength(1);
  });

  test('a message, set lower while the process runs', async () => {
    const it = rig();
    const view = await it.addReady('big', stdioRecorder(join(it.folder, 'record')));
    await it.upstreams.change(view.id, { limits: { messageBytes: MIB } });
    expect(await it.call(view.id, 'big', `{"bytes":${2 * MIB}}`)).toEqual({
      kind: 'failed',
      errorClass: 'message_too_large',
      message: 'big answered with more than 1 MiB, its limit for one message. The call did run.',
    });
  });

  test('a result, which costs the process nothing', async () => {
    const it = rig();
    const view = await it.addReady(
      'big',
      stdioRecorder(join(it.folder, 'record')),
      {},
      { limits: { resultBytes: MIB } },
    );
    expect(await it.call(view.id, 'big', `{"bytes":${2 * MIB}}`)).toEqual({
      kind: 'failed',
      errorClass: 'result_too_large',
      message: 'big answered with more than 1 MiB, its limit for one result. The call did run.',
    });
    expect(it.upstreams.get(view.id)).toMatchObject({ status: 'ready', pid: view.pid });
    expect(await it.call(view.id, 'big', `{"bytes":${MIB - 1_000}}`)).toMatchObject({ kind: 'answered' });
  });

  test('a message wider than usual passes over HTTP as well', async () => {
    const it = rig();
    const server = await httpRecorder(join(it.folder, 'record'));
    const limits = { messageBytes: 32 * MIB, resultBytes: 32 * MIB };
    const view = await it.addReady('big', server.transport, {}, { limits });
    expect(await it.call(view.id, 'big', `{"bytes":${16 * MIB}}`)).toMatchObject({ kind: 'answered' });
  });

  test('a list with too many items: no half of it is used, no new start tried, and a wider limit mends it', async () => {
    const it = rig();
    const file = join(it.folder, 'record');
    const { id } = await it.add(
      'long',
      stdioRecorder(file, '--many=50', '--page-size=10'),
      {},
      { limits: { listItems: 40 } },
    );
    const view = await it.until(id, 'failed');
    expect(view.reason).toBe(
      'long was started, but its tools could not be listed: it lists more than 40 tools, its limit.',
    );
    expect(it.inventory.taken).toEqual([]);
    expect(await it.call(id, 'echo')).toMatchObject({ kind: 'failed', errorClass: 'list_too_large' });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(starts(file)).toBe(1);
    await it.upstreams.change(id, { limits: { listItems: 1_000 } });
    expect((await it.until(id, 'ready')).toolCount).toBe(61);
  });

  test('a page of a list that is too large a message', async () => {
    const it = rig();
    const words = ['--many=2000'];
    const limits = { messageBytes: 65_536, resultBytes: 65_536 };
    const { id } = await it.add('wide', stdioRecorder(join(it.folder, 'record'), ...words), {}, { limits });
    expect((await it.until(id, 'failed')).reason).toBe(
      'wide was started, but its tools could not be listed: a page of it is a message of more than 64 KiB, its limit.',
    );
    expect(await it.call(id, 'echo')).toMatchObject({ kind: 'failed', errorClass: 'message_too_large' });
  });

  test('too many prompts: they are left out and it is said, and tools work', async () => {
    const it = rig();
    const server = stdioRecorder(join(it.folder, 'record'), '--prompts=50');
    const { id } = await it.add('chatty', server, {}, { limits: { listItems: 40 } });
    expect((await it.until(id, 'ready')).reason).toBe(
      'chatty runs, but its prompts are left out: it lists more than 40 prompts, its limit.',
    );
    expect(await it.call(id, 'echo')).toMatchObject({ kind: 'answered' });
    await it.upstreams.change(id, { limits: { listItems: 1_000 } });
    await it.upstreams.refresh(id);
    expect(it.upstreams.get(id)?.reason).toBeNull();
  });

  test('a message that is no answer: the process is stopped, and why says the number', async () => {
    const it = rig({ limits: { backoffMs: 60_000 } });
    const { id } = await it.addReady(
      'flood',
      stdioRecorder(join(it.folder, 'record'), `--endless-line=${2 * MIB}`),
      {},
      { limits: { messageBytes: MIB } },
    );
    const [one, other] = await Promise.all([it.call(id, 'never'), it.call(id, 'echo')]);
    expect([one, other].map((outcome) => 'message' in outcome && outcome.message)).toEqual([
      'flood was stopped because it sent a message of more than 1 MiB, its limit during the call; it is unknown whether the call had an effect.',
      'flood was stopped because it sent a message of more than 1 MiB, its limit during the call; it is unknown whether the call had an effect.',
    ]);
    expect((await it.until(id, 'failed')).reason).toBe(
      'flood was stopped because it sent a message of more than 1 MiB, its limit.',
    );
  });

  test('a list in too many pages', async () => {
    const it = rig();
    const words = ['--many=50', '--page-size=10'];
    const { id } = await it.add(
      'long',
      stdioRecorder(join(it.folder, 'record'), ...words),
      {},
      { limits: { listPages: 3 } },
    );
    expect((await it.until(id, 'failed')).reason).toBe(
      'long was started, but its tools could not be listed: there is still a next page after 3, its limit.',
    );
    expect(await it.call(id, 'echo')).toMatchObject({ kind: 'failed', errorClass: 'list_too_many_pages' });
  });
});

test.each([
  [
    { callMs: 700_000 },
    'The limit for a call without progress (700 s) is longer than the limit for a whole call (600 s). Raise that one too.',
  ],
  [
    { resultBytes: 20 * MIB },
    'The limit for a result (20971520 bytes) is larger than the limit for a message (10485760 bytes), in which it comes. Raise that one too.',
  ],
])('limits that contradict each other are refused (%j)', async (limits, message) => {
  const it = rig();
  const { id } = await it.addReady('x', stdioRecorder(join(it.folder, 'record')));
  expect(await it.upstreams.change(id, { limits })).toEqual({ kind: 'refused', message });
  expect(it.upstreams.get(id)?.settings.limits).toEqual({});
});

test('docs/upstreams.md says the limits that are in force', () => {
  const text = readFileSync(new URL('../../../docs/upstreams.md', import.meta.url), 'utf8');
  const shown: Record<keyof SettableLimits, [string, (value: number) => string]> = {
    callMs: ['call-timeout', spanInWords],
    ceilingMs: ['call-ceiling', spanInWords],
    inFlight: ['concurrency', String],
    queued: ['queue', String],
    messageBytes: ['message-size', sizeInWords],
    resultBytes: ['result-size', sizeInWords],
    listItems: ['list-size', String],
    listPages: ['list-pages', String],
  };
  for (const [name, [option, show]] of Object.entries(shown)) {
    const { least, usual, most } = LIMIT_RANGES[name as keyof SettableLimits];
    const row = text.split('\n').find((line) => line.startsWith(`| \`--${option}\``));
    expect(row).toContain(` | ${show(least)} | ${show(usual)} | ${show(most)} | `);
  }
});
