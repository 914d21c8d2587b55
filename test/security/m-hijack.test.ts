import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../support/gatehouse.ts';
import { newBase, RECORDER, recorded, startHeadless } from '../support/headless.ts';
import { wholeLines } from '../support/lines.ts';

test('M18: the absolute path that a command was resolved to is used, kept and shown, whatever lies in its folder or on a relative PATH', async () => {
  const base = newBase();
  onTestFinished(() => rmSync(base, { recursive: true, force: true }));
  const [trap, early, late] = ['trap', 'early', 'late'].map((name) => join(base, name)) as [string, string, string];
  const ran = join(base, 'ran');
  const program = (path: string, body: string) => {
    writeFileSync(path, `#!/bin/sh\necho ${path} >> ${ran}\n${body}\n`);
    chmodSync(path, 0o755);
  };
  for (const folder of [trap, early, late, join(trap, 'node_modules/.bin')]) mkdirSync(folder, { recursive: true });
  for (const name of ['node', 'npx', 'npx.cmd', 'node_modules/.bin/x']) program(join(trap, name), 'exit 1');
  writeFileSync(
    join(trap, '.npmrc'),
    `node-options=--require=${join(trap, 'node')}\nscript-shell=${join(trap, 'node')}\n`,
  );
  for (const name of ['node', 'npx']) program(join(late, name), `exec ${process.execPath} "$@"`);

  // Gatehouse itself stands in the trap too, and so does every upstream.
  await using gatehouse = await startHeadless({
    base,
    before: ['env', '-C', trap],
    env: { PATH: `.:node_modules/.bin::${early}:${late}:${process.env.PATH}` },
  });
  const file = (name: string) => join(base, `${name}.jsonl`);
  const view = (name: string, status: string) =>
    eventually(
      async () =>
        (await gatehouse.ask('upstreamsList')).find((one) => one.name === name && one.status === status) ?? null,
      `${name} to be ${status}`,
      15_000,
    );
  const add = (name: string, command: string) =>
    gatehouse.ask('upstreamAdd', {
      name,
      transport: { kind: 'stdio', command, args: [RECORDER, file(name)], cwd: trap },
    });
  for (const command of ['node', 'npx']) {
    expect(await add(`of-${command}`, command)).toMatchObject({ kind: 'done' });
    expect(await view(`of-${command}`, 'ready')).toMatchObject({ resolvedCommand: join(late, command) });
    expect(recorded(file(`of-${command}`))[0]).toMatchObject({ kind: 'started', cwd: trap });
  }
  const inTime = ['node', 'npx'].map((name) => join(late, name));
  expect(programs()).toEqual(inTime);

  // What only the trap has is not found, nor what is named by a relative path.
  for (const [n, command] of ['x', 'npx.cmd', './node', 'node_modules/.bin/x'].entries()) {
    expect(await add(`trap-${n}`, command)).toMatchObject({ kind: 'done' });
    expect((await view(`trap-${n}`, 'failed')).reason).toMatch(/was not found|is a relative path/);
    expect(recorded(file(`trap-${n}`))).toEqual([]);
  }

  // A program of the same name that comes to stand earlier on PATH afterwards is not taken.
  program(join(early, 'npx'), `exec ${process.execPath} "$@"`);
  await gatehouse.ask('upstreamDisable', { upstream: 'of-npx' });
  await gatehouse.ask('upstreamEnable', { upstream: 'of-npx' });
  expect(await view('of-npx', 'ready')).toMatchObject({ resolvedCommand: join(late, 'npx') });
  expect(programs()).toEqual([...inTime, join(late, 'npx')]);

  const key = await gatehouse.key('bystander');
  const began = performance.now();
  expect((await gatehouse.call(key, 'demo__list_notes')).message?.result).toHaveProperty('structuredContent');
  expect(performance.now() - began).toBeLessThan(1000);
  const entries = await gatehouse.audit((all) =>
    ['trap-0', 'trap-1', 'trap-2', 'trap-3'].every((name) =>
      all.some(({ kind, upstream }) => kind === 'upstream_failed' && upstream === name),
    ),
  );
  expect(entries.filter(({ kind, upstream }) => kind === 'upstream_started' && upstream?.startsWith('trap'))).toEqual(
    [],
  );

  function programs(): readonly string[] {
    return wholeLines(ran);
  }
});
