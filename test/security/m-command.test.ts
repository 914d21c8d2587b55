import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../support/gatehouse.ts';
import { RECORDER, recorded, startHeadless } from '../support/headless.ts';
import { environmentOfProcess } from '../support/processes.ts';
import { openTarget } from '../support/target.ts';

test('M1: no shell reads the words of an upstream: they arrive byte for byte and start nothing', async () => {
  await using target = await openTarget();
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-m1-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const marker = (n: number) => join(folder, `p${n}`);
  const words = [
    `; touch ${marker(1)}`,
    `$(touch ${marker(2)})`,
    `\`touch ${marker(3)}\``,
    '| x',
    '&& y',
    '*',
    '~',
    '%PATH%',
    // Further ways in which a shell would say something else.
    '',
    ' ',
    '"\'',
    '$HOME',
    `\n touch ${marker(4)}`,
    '-e',
    '\\',
    'ä😀',
  ];
  const recorder = await target.gatehouse.recorder('argv', { args: words, risk: 'read' });
  expect(recorder.events()[0]).toMatchObject({ kind: 'started', argv: [recorder.file, ...words] });
  const pid = recorder.events()[0]?.pid;
  expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(3, -1)).toEqual(words);

  const answer = await target.gatehouse.call(target.k1.secret, 'argv__echo', JSON.stringify({ text: words.join() }));
  expect(answer.message?.result).not.toHaveProperty('isError');
  expect([1, 2, 3, 4].filter((n) => existsSync(marker(n)))).toEqual([]);
  expect((await target.gatehouse.audit()).filter(({ kind }) => kind === 'upstream_added').at(-1)).toMatchObject({
    upstream: 'argv',
    detail: { transport: 'stdio', command: process.execPath },
  });
  await target.stillServes();
});

test('M1: a command that only a shell would understand is not found, and nothing is started', async () => {
  await using target = await openTarget();
  const marker = join(target.gatehouse.folder, 'p5');
  for (const [n, command] of [
    `touch ${marker}`,
    `;touch ${marker}`,
    `$(touch ${marker})`,
    `/bin/touch ${marker}`,
  ].entries()) {
    const added = await target.gatehouse.ask('upstreamAdd', { name: `sh${n}`, transport: { kind: 'stdio', command } });
    expect(added.kind).toBe('done');
    const view = await eventually(
      async () =>
        (await target.gatehouse.ask('upstreamsList')).find(
          ({ name, status }) => name === `sh${n}` && status === 'failed',
        ) ?? null,
      command,
    );
    expect(view.reason).toMatch(/was not found|does not exist|is a relative path/);
    expect(view.pid).toBeNull();
  }
  expect(existsSync(marker)).toBe(false);
  await target.stillServes();
});

test('M7: a child gets the allowed environment and its own entries: nothing of ours, nothing of another upstream', async () => {
  const parent = {
    CANARY_PARENT: 'canary-parent',
    NODE_OPTIONS: '--no-warnings',
    ELECTRON_RUN_AS_NODE: '1',
    LD_PRELOAD: '/nonexistent/canary.so',
    DYLD_INSERT_LIBRARIES: '/nonexistent/canary.dylib',
    AWS_SECRET_ACCESS_KEY: 'canary-aws',
    GATEHOUSE_UNATTENDED: '1',
    TERM: 'dumb',
    USER: 'somebody',
    'BASH_FUNC_x%%': '() { echo canary; }',
    PATH: `.:relative/bin:${process.env.PATH}`,
  };
  await using gatehouse = await startHeadless({ env: parent });
  expect(environmentOfProcess(gatehouse.pid)).toMatchObject(parent);
  const files = { a: join(gatehouse.base, 'a.jsonl'), b: join(gatehouse.base, 'b.jsonl') };
  await gatehouse.add('a', { args: [RECORDER, files.a], secrets: { SECRET_A: 'canary-a', SHARED: 'of a' } });
  await gatehouse.add('b', { args: [RECORDER, files.b], secrets: { SECRET_B: 'canary-b', SHARED: 'of b' } });
  const pids = await eventually(async () => {
    const views = (await gatehouse.ask('upstreamsList')).filter(({ name }) => name !== 'demo');
    return views.every(({ status }) => status === 'ready') ? views.map(({ pid }) => pid ?? 0) : null;
  }, 'both upstreams');
  const [a, b] = pids.map(environmentOfProcess);

  const allowed = ['HOME', 'LOGNAME', 'PATH', 'SHELL', 'TERM', 'USER', 'LANG', 'TMPDIR'];
  const own = (env: Readonly<Record<string, string>> = {}) =>
    Object.fromEntries(Object.entries(env).filter(([name]) => !allowed.includes(name)));
  expect(own(a)).toEqual({ SECRET_A: 'canary-a', SHARED: 'of a' });
  expect(own(b)).toEqual({ SECRET_B: 'canary-b', SHARED: 'of b' });
  // What is allowed is also there, or the test would pass for an empty environment; PATH without its relative entries (M18).
  expect(b).toMatchObject({
    HOME: join(gatehouse.base, 'home'),
    TERM: 'dumb',
    USER: 'somebody',
    PATH: process.env.PATH,
  });
  expect(JSON.stringify([a, b])).not.toMatch(/canary-parent|canary-aws|canary\.so|canary\.dylib|master-key/);
  expect(JSON.stringify(b)).not.toContain('canary-a');

  const key = await gatehouse.key('agent');
  await gatehouse.review('b', 'read');
  expect((await gatehouse.call(key, 'b__echo', '{"text":"x"}')).message?.result).not.toHaveProperty('isError');
  const entries = await gatehouse.audit((all) => all.some(({ kind }) => kind === 'tool_call'));
  const added = entries.filter(({ kind, upstream }) => kind === 'upstream_added' && upstream !== 'demo');
  expect(added.map(({ detail }) => detail.secrets)).toEqual([
    ['SECRET_A', 'SHARED'],
    ['SECRET_B', 'SHARED'],
  ]);
  expect(recorded(files.b)[0]).toMatchObject({ kind: 'started', env: own(b) });
});
