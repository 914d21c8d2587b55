import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../electron/core/platform.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { NODE, received, recorded, rig, stdioRecorder, waitFor } from './rig.ts';

const starts = (file: string) => recorded(file).filter((entry) => entry.kind === 'started').length;

describe('a start that fails says why', () => {
  test('a command that does not exist is named, with where it was looked for, and is not tried again', async () => {
    const it = rig({ environment: { PATH: '/usr/bin:relative:/bin' } });
    const transport = { kind: 'stdio', command: 'no-such-tool', args: [], secretEnv: [], cwd: null } as const;
    const { id } = await it.add('x', transport);
    const view = await it.until(id, 'failed');
    expect(view.reason).toBe(
      'x cannot be started. The command no-such-tool was not found (looked in /usr/bin, /bin). Install the program or correct the command, then refresh x.',
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(it.events.filter((event) => event.kind === 'upstream_failed')).toHaveLength(1);
  });

  test('M15: a crash loop is at most five starts, then failed; calls fail at once; a refresh starts it again', async () => {
    const it = rig();
    const file = join(it.folder, 'record');
    const { id } = await it.add('loop', stdioRecorder(file, '--exit-at-start=3'));
    const failed = () => it.upstreams.get(id)?.reason?.includes('not started again by itself') === true;
    await waitFor(failed, 'the final failure', 15_000);
    expect(starts(file)).toBe(5);
    const view = it.upstreams.get(id);
    expect(view?.reason).toMatch(/^loop ended with exit code 3 before it could be used\./);
    expect(view?.lastStderr.at(-1)).toBe('recorder: asked to end at start');
    const began = performance.now();
    expect(await it.call(id, 'echo')).toMatchObject({
      kind: 'failed',
      errorClass: 'upstream_unreachable',
      message: view?.reason,
    });
    expect(performance.now() - began).toBeLessThan(1000);
    expect(starts(file)).toBe(5);
    expect(await it.upstreams.refresh(id)).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('exit code 3'),
    });
    expect(starts(file)).toBeGreaterThan(5);
  });

  test('a program whose pipe breaks before it ends is said to have ended, not to have answered something else', async () => {
    const it = rig({ limits: { startsPerMinute: 1 } });
    const args = ['-c', 'exec 0<&-; sleep 0.3; exit 3'];
    const { id } = await it.add('parting', { kind: 'stdio', command: '/bin/sh', args, secretEnv: [], cwd: null });
    const view = await it.until(id, 'failed');
    expect(view.reason).toMatch(/^parting ended with exit code 3 before it could be used\./);
  });

  test('what a start wrote before it failed can be read while the next one is still silent', async () => {
    const it = rig({ limits: { startMs: 1_000, backoffMs: 10 } });
    const marker = join(it.folder, 'second');
    const script = `if [ -e "$1" ]; then exec sleep 60; fi; touch "$1"; echo 'no TOKEN was given' >&2; exit 3`;
    const args = ['-c', script, 'sh', marker];
    const { id } = await it.add('twice', { kind: 'stdio', command: '/bin/sh', args, secretEnv: [], cwd: null });
    await it.until(id, 'failed');
    await it.until(id, 'starting');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(it.upstreams.get(id)).toMatchObject({ status: 'starting', lastStderr: ['no TOKEN was given'] });
    expect(it.upstreams.logs(id)).toEqual(['no TOKEN was given']);
  });

  test('a server that never answers fails after its limit, and its process is gone', async () => {
    const it = rig({ limits: { startMs: 400, probeMs: 100, startsPerMinute: 1 } });
    const file = join(it.folder, 'record');
    const { id } = await it.add('silent', stdioRecorder(file, '--silent'));
    const view = await it.until(id, 'failed');
    expect(view.reason).toMatch(/^silent was started, but did not answer within 400 ms\./);
    expect(received(file, 'server/discover')).toHaveLength(1);
    expect(received(file, 'initialize')).toHaveLength(1);
    expect(it.db.prepare('SELECT count(*) AS n FROM upstream_processes').get()).toEqual({ n: 0 });
  });

  test('a server that does not answer is said not to while it is still given time, and while others start', async () => {
    const it = rig({ limits: { startMs: 20_000, slowMs: 300, probeMs: 100 } });
    const { id } = await it.add('silent', stdioRecorder(join(it.folder, 'record'), '--silent'));
    await expect
      .poll(() => it.upstreams.get(id)?.reason)
      .toMatch(/^silent has not listed its tools within 300 ms of its start\./);
    expect(it.upstreams.get(id)?.status).toBe('starting');
    const other = await it.addReady('other', stdioRecorder(join(it.folder, 'other')));
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(it.upstreams.get(other.id)).toMatchObject({ status: 'ready', reason: null });
  });

  test('a program that only prints garbage is said to do so', async () => {
    const it = rig({ limits: { startMs: 300, probeMs: 100, startsPerMinute: 1 } });
    const { id } = await it.add('noisy', stdioRecorder(join(it.folder, 'record'), '--garbage-only'));
    const view = await it.until(id, 'failed');
    expect(view.reason).toMatch(/^noisy prints text that is no MCP message and did not answer within 300 ms\./);
    expect(it.upstreams.logs(id).join('\n')).toContain('Listening on 3000');
  });

  test('a list that fails keeps the tools that are known', async () => {
    const it = rig({ limits: { startsPerMinute: 1 } });
    const { id } = await it.add('half', stdioRecorder(join(it.folder, 'record'), '--list-error'));
    const view = await it.until(id, 'failed');
    expect(view.reason).toMatch(
      /^half was started, but its tools could not be listed: it answered with error -32603\./,
    );
    expect(it.inventory.taken).toEqual([]);
  });

  test('pages without an end are given up at 64', async () => {
    const it = rig({ limits: { startsPerMinute: 1 } });
    const file = join(it.folder, 'record');
    const { id } = await it.add('endless', stdioRecorder(file, '--endless-cursor'));
    expect((await it.until(id, 'failed')).reason).toContain('there is still a next page after 64');
    expect(received(file, 'tools/list')).toHaveLength(64);
  });
});

test('M11: garbage on standard output is ignored, and answers between it arrive', async () => {
  const it = rig();
  const view = await it.addReady('noisy', stdioRecorder(join(it.folder, 'record'), '--garbage'));
  expect(await it.call(view.id, 'echo', '{"text":"x"}')).toMatchObject({ kind: 'answered' });
  const logs = it.upstreams.logs(view.id);
  expect(logs.join('\n')).toContain('\\u{1b}[31mred');
  for (let i = 0; i < 60; i += 1) await it.call(view.id, 'echo');
  expect(it.upstreams.logs(view.id)).toHaveLength(200);
});

test('M13: a line without an end ends the process at the limit, and the call says so', async () => {
  const it = rig();
  const file = join(it.folder, 'record');
  const view = await it.addReady('endless', stdioRecorder(file, `--endless-line=${1024 ** 3}`));
  const other = await it.addReady('other', stdioRecorder(join(it.folder, 'other')));
  const before = process.memoryUsage().rss;
  const outcome = it.call(view.id, 'echo');
  expect(await it.call(other.id, 'echo')).toMatchObject({ kind: 'answered' });
  expect(await outcome).toMatchObject({
    kind: 'failed',
    errorClass: 'message_too_large',
    message: expect.stringContaining('10 MiB'),
  });
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
  expect(received(file, 'tools/call')).toHaveLength(1);
});

test.each([
  ['one text', '{"bytes":52428800}'],
  ['many blocks', '{"bytes":2000,"blocks":10000}'],
])('D10: a result over 10 MiB (%s) is refused with its limit', async (_title, text) => {
  const it = rig();
  const view = await it.addReady('big', stdioRecorder(join(it.folder, 'record')));
  expect(await it.call(view.id, 'big', text)).toEqual({
    kind: 'failed',
    errorClass: 'message_too_large',
    message: 'big answered with more than 10 MiB, its limit for one message. The call did run.',
  });
});

test('a result just under the limit arrives whole', async () => {
  const it = rig();
  const view = await it.addReady('big', stdioRecorder(join(it.folder, 'record')));
  const outcome = await it.call(view.id, 'big', '{"bytes":10000000}');
  expect(outcome).toMatchObject({ kind: 'answered' });
  expect(outcome.kind === 'answered' && outcome.bytes).toBeGreaterThan(10_000_000);
});

test('a crash in mid-call is named as one, is not repeated, and the upstream comes back by itself', async () => {
  const it = rig();
  const file = join(it.folder, 'record');
  const view = await it.addReady('crashing', stdioRecorder(file));
  expect(await it.call(view.id, 'crash')).toEqual({
    kind: 'failed',
    errorClass: 'upstream_crashed',
    message: 'crashing ended with exit code 7 during the call; it is unknown whether the call had an effect.',
  });
  await it.until(view.id, 'ready');
  expect(received(file, 'tools/call')).toHaveLength(1);
  expect(await it.call(view.id, 'echo')).toMatchObject({ kind: 'answered' });
  expect(it.events.map((event) => event.kind)).toEqual([
    'upstream_added',
    'upstream_started',
    'upstream_failed',
    'upstream_started',
  ]);
});

test('a call without an answer ends at its limit, names it, and is cancelled upstream', async () => {
  const it = rig({ limits: { callMs: 200 } });
  const file = join(it.folder, 'record');
  const view = await it.addReady('slow', stdioRecorder(file));
  expect(await it.call(view.id, 'never')).toEqual({
    kind: 'failed',
    errorClass: 'upstream_timeout',
    message: 'slow did not answer within 200 ms, its limit for a call without progress.',
  });
  await waitFor(() => received(file, 'notifications/cancelled').length === 1, 'the cancellation');
});

test('progress resets the limit of a call, but not the ceiling', async () => {
  const it = rig({ limits: { callMs: 250, ceilingMs: 900 } });
  const view = await it.addReady('slow', stdioRecorder(join(it.folder, 'record')));
  const steps: number[] = [];
  const onProgress = (step: { progress: number }) => void steps.push(step.progress);
  expect(await it.call(view.id, 'slow', '{"ms":600}', { onProgress })).toMatchObject({ kind: 'answered' });
  expect(steps.length).toBeGreaterThan(3);
  expect(await it.call(view.id, 'slow', '{"ms":5000}')).toMatchObject({
    errorClass: 'call_too_long',
    message: 'slow did not finish within 900 ms, its limit for one call.',
  });
});

test('a caller that gives up cancels the call upstream', async () => {
  const it = rig();
  const file = join(it.folder, 'record');
  const view = await it.addReady('slow', stdioRecorder(file));
  const caller = new AbortController();
  const outcome = it.call(view.id, 'never', '{}', { signal: caller.signal });
  await waitFor(() => received(file, 'tools/call').length === 1, 'the call');
  caller.abort();
  expect(await outcome).toEqual({ kind: 'cancelled' });
  const [cancelled] = await waitFor(() => {
    const found = received(file, 'notifications/cancelled');
    return found.length === 1 && found;
  }, 'the cancellation');
  const id = (JSON.parse(received(file, 'tools/call')[0] ?? '{}') as { id: number }).id;
  expect(JSON.parse(cancelled ?? '{}')).toMatchObject({ params: { requestId: id } });
});

test('a call that was given up before it was sent is never sent', async () => {
  const it = rig();
  const file = join(it.folder, 'record');
  const view = await it.addReady('x', stdioRecorder(file));
  expect(await it.call(view.id, 'echo', '{}', { signal: AbortSignal.abort() })).toEqual({ kind: 'cancelled' });
  expect(received(file, 'tools/call')).toEqual([]);
});

test('calls beyond the bound wait, and beyond the queue are refused', async () => {
  const it = rig({ limits: { inFlight: 2, queued: 1 } });
  const file = join(it.folder, 'record');
  const view = await it.addReady('busy', stdioRecorder(file));
  const caller = new AbortController();
  const running = [1, 2].map(() => it.call(view.id, 'never', '{}', { signal: caller.signal }));
  const waiting = it.call(view.id, 'echo');
  expect(await it.call(view.id, 'echo')).toEqual({
    kind: 'failed',
    errorClass: 'upstream_busy',
    message: 'busy has 2 calls in flight and 1 waiting already, its limits.',
  });
  expect(it.upstreams.load()).toEqual({ inFlight: 2, queued: 1 });
  caller.abort();
  expect(await Promise.all(running)).toEqual([{ kind: 'cancelled' }, { kind: 'cancelled' }]);
  expect(await waiting).toMatchObject({ kind: 'answered' });
  expect(it.upstreams.load()).toEqual({ inFlight: 0, queued: 0 });
});

test('E21: an upstream that is not running is started by a call and by nothing else', async () => {
  const first = rig();
  const file = join(first.folder, 'record');
  const { id } = await first.addReady('x', stdioRecorder(file));
  await first.upstreams.stopAll();
  const second = rig({ db: first.db });
  second.upstreams.list();
  second.upstreams.get(id);
  second.upstreams.logs(id);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(starts(file)).toBe(1);
  expect(second.upstreams.get(id)?.status).toBe('stopped');
  expect(await second.call(id, 'echo')).toMatchObject({ kind: 'answered' });
  expect(starts(file)).toBe(2);
});

test('calls that come while an upstream starts wait for it and share the one process', async () => {
  const it = rig();
  const file = join(it.folder, 'record');
  const { id } = await it.add('slow', stdioRecorder(file, '--start-delay=200'));
  const outcomes = await Promise.all([1, 2, 3].map(() => it.call(id, 'echo')));
  expect(outcomes.map((outcome) => outcome.kind)).toEqual(['answered', 'answered', 'answered']);
  expect(starts(file)).toBe(1);
});

test('the era is asked for once, and the verdict is used at the next start', async () => {
  const it = rig();
  const file = join(it.folder, 'record');
  const { id } = await it.addReady('x', stdioRecorder(file));
  await it.upstreams.setEnabled(id, false);
  await it.upstreams.setEnabled(id, true);
  await it.until(id, 'ready');
  expect(starts(file)).toBe(2);
  expect(received(file, 'server/discover')).toHaveLength(1);
});

test('a verdict that is used is not renewed: after a day the era is asked for again', async () => {
  let later = 0;
  const it = rig({ clock: { ...systemClock, now: () => systemClock.now() + later } });
  const file = join(it.folder, 'record');
  const { id } = await it.addReady('x', stdioRecorder(file));
  for (const [hours, asked] of [
    [20, 1],
    [30, 2],
  ] as const) {
    later = hours * 3_600_000;
    await it.upstreams.restart(id);
    expect(it.upstreams.get(id)?.status).toBe('ready');
    expect(received(file, 'server/discover')).toHaveLength(asked);
  }
});

test('a server that starts too slowly to answer the question for its era is asked again at the next start', async () => {
  const slow = rig({ limits: { probeMs: 100 } });
  const file = join(slow.folder, 'record');
  const view = await slow.addReady('x', stdioRecorder(file, '--era=dual', '--wake-after=800'));
  // This start goes on with what it has: the handshake of the legacy era was answered.
  expect(view.era).toBe('legacy');
  expect(await slow.call(view.id, 'echo')).toMatchObject({ kind: 'answered' });
  await slow.upstreams.stopAll();

  const patient = rig({ db: slow.db, limits: { probeMs: 14_000 } });
  patient.upstreams.startAll();
  expect((await patient.until(view.id, 'ready')).era).toBe('modern');
  expect(received(file, 'server/discover')).toHaveLength(2);
});

test('a server that ends at the question for its era is started again without it', async () => {
  const it = rig();
  const script = `
    let text = '';
    process.stdin.on('data', (chunk) => {
      text += chunk;
      for (const line of text.split('\\n').slice(0, -1)) {
        const message = JSON.parse(line);
        if (message.method === 'server/discover') process.exit(1);
        const result = message.method === 'initialize'
          ? {protocolVersion: '2024-11-05', capabilities: {tools: {}}, serverInfo: {name: 'old', version: '1'}}
          : {tools: []};
        if (message.id !== undefined) console.log(JSON.stringify({jsonrpc: '2.0', id: message.id, result}));
      }
      text = text.slice(text.lastIndexOf('\\n') + 1);
    });`;
  const view = await it.addReady('old', {
    kind: 'stdio',
    command: NODE,
    args: ['-e', script],
    secretEnv: [],
    cwd: null,
  });
  expect(view).toMatchObject({ era: 'legacy', callsItself: 'old' });
});

test.each(['legacy', 'modern'])('a changed list is read again within 250 ms (%s)', async (era) => {
  const it = rig();
  const file = join(it.folder, 'record');
  const view = await it.addReady('x', stdioRecorder(file, `--era=${era}`, '--tools=echo,change_definition'));
  // A recorder of the modern era sends list_changed without a subscription, as servers on one pipe may.
  await it.call(view.id, 'change_definition', '{"description":"Another one."}');
  await waitFor(() => it.inventory.taken.length === 2, 'the second listing', 1_000);
  expect(it.inventory.taken[1]?.tools).toMatchObject([{ name: 'echo', description: 'Another one.' }, {}]);
  expect(it.events.at(-1)).toMatchObject({ kind: 'definition_changed', detail: { tools: ['echo'] } });
});

test('a burst of changes is one listing', async () => {
  const it = rig();
  const file = join(it.folder, 'record');
  const view = await it.addReady('x', stdioRecorder(file));
  await Promise.all(Array.from({ length: 20 }, () => it.call(view.id, 'change_definition')));
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect(it.inventory.taken.length).toBeLessThanOrEqual(3);
});

test('all pages of a list are read, and members nobody knows are kept', async () => {
  const it = rig();
  const file = join(it.folder, 'record');
  const view = await it.addReady('x', stdioRecorder(file, '--many=25', '--page-size=10'));
  expect(view.toolCount).toBe(36);
  expect(it.inventory.taken[0]?.tools).toContainEqual(
    expect.objectContaining({ name: 'strange', xtool: { kept: true } }),
  );
  expect(it.inventory.taken[0]?.endpoint).toContain('recorder-stdio.mjs');
});

test.each(['legacy', 'modern'])(
  'a result is passed on as it came, unknown members and content types included (%s)',
  async (era) => {
    const it = rig();
    const view = await it.addReady('x', stdioRecorder(join(it.folder, 'record'), `--era=${era}`));
    expect(await it.call(view.id, 'strange')).toMatchObject({
      kind: 'answered',
      result: {
        content: [
          { type: 'text', text: 'known', xblock: 1 },
          { type: 'hologram', beam: [1, 2] },
        ],
        xresult: { deep: [true] },
      },
    });
  },
);

test("an upstream's own error is relayed as it is", async () => {
  const it = rig();
  const view = await it.addReady('x', stdioRecorder(join(it.folder, 'record')));
  const text = '{"code":-32050,"message":"a\\r\\nX: y","data":{"why":1}}';
  expect(await it.call(view.id, 'rpc_error', text)).toEqual({
    kind: 'error',
    code: -32050,
    message: 'a\r\nX: y',
    text: '{"code":-32050,"message":"a\\r\\nX: y","data":{"why":1}}',
    data: { why: 1 },
  });
});

test.each(['sampling/createMessage', 'roots/list', 'elicitation/create'])(
  'C17: %s from a server is refused and recorded',
  async (method) => {
    const it = rig();
    const view = await it.addReady('x', stdioRecorder(join(it.folder, 'record')));
    const outcome = await it.call(view.id, 'ask_client', JSON.stringify({ method }));
    expect(JSON.stringify(outcome)).toContain('-32601');
    expect(it.events.at(-1)).toMatchObject({ kind: 'upstream_request_refused', upstream: 'x', detail: { method } });
  },
);

test('one dead upstream does not disturb another', async () => {
  const it = rig();
  const file = join(it.folder, 'record');
  const [dead, alive] = await Promise.all([
    it.add('dead', stdioRecorder(file, '--exit-at-start')),
    it.addReady('alive', stdioRecorder(join(it.folder, 'alive'))),
  ]);
  expect(await it.call(alive.id, 'echo')).toMatchObject({ kind: 'answered' });
  expect(await it.call(dead.id, 'echo')).toMatchObject({ kind: 'failed' });
  expect(it.inventory.tools(alive.id).length).toBeGreaterThan(0);
});

test('a secret that a server prints is not in its log', async () => {
  const it = rig();
  const recorder = stdioRecorder(join(it.folder, 'record'), '--stderr=token is canary-secret-1 \u202ereversed');
  const view = await it.addReady('x', { ...recorder, secretEnv: ['TOKEN'] } as typeof recorder, {
    TOKEN: 'canary-secret-1',
  });
  await waitFor(() => it.upstreams.logs(view.id).length > 0, 'the line');
  expect(it.upstreams.logs(view.id)).toEqual(['token is ••• \\u{202e}reversed']);
});

test('a description that changed on disk is seen at a refresh', async () => {
  const it = rig();
  const text = join(it.folder, 'text');
  const view = await it.addReady(
    'x',
    stdioRecorder(join(it.folder, 'record'), '--tools=echo', `--description-file=${text}`),
  );
  writeFileSync(text, 'New words.');
  expect(await it.upstreams.refresh(view.id)).toMatchObject({ kind: 'done' });
  expect(it.inventory.taken.at(-1)?.tools).toMatchObject([{ description: 'New words.' }]);
});

test('while Gatehouse stops, a call starts nothing', async () => {
  const it = rig();
  const file = join(it.folder, 'record');
  const { id } = await it.addReady('x', stdioRecorder(file));
  const stopped = it.upstreams.stopAll();
  expect(await it.call(id, 'echo')).toMatchObject({ kind: 'failed', errorClass: 'upstream_unreachable' });
  await stopped;
  expect(await it.call(id, 'echo')).toEqual({
    kind: 'failed',
    errorClass: 'upstream_unreachable',
    message: 'x is not running.',
  });
  expect(starts(file)).toBe(1);
});

test('a hung start ends after 15 s of the clock, whatever the clock on the wall says', async () => {
  const clock = fakeClock();
  const it = rig({ clock, limits: { startsPerMinute: 1, graceMs: 10 } });
  const { id } = await it.add('hung', stdioRecorder(join(it.folder, 'record'), '--silent'));
  await waitFor(() => recorded(join(it.folder, 'record')).some((entry) => entry.kind === 'line'), 'the first message');
  clock.set(0);
  await clock.advance(14_000);
  expect(it.upstreams.get(id)?.status).toBe('starting');
  await clock.advance(1_000);
  await waitFor(
    () => void clock.advance(100) === undefined && it.upstreams.get(id)?.status === 'failed',
    'the failure',
  );
  expect(it.upstreams.get(id)?.reason).toMatch(/^hung was started, but did not answer within 15 s\./);
});
