import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { eventually } from '../support/gatehouse.ts';
import { type Headless, newBase, RECORDER, startHeadless } from '../support/headless.ts';

/** Writes to the settings of a stopped app as any other program can; one row, or it fails. */
function onDisk(folder: string, sql: string, ...values: readonly (string | number)[]): void {
  const db = new Database(join(folder, 'state.db'));
  try {
    expect(db.prepare(sql).run(...values).changes).toBe(1);
  } finally {
    db.close();
  }
}

const statusOf = async (gatehouse: Headless, name: string) =>
  (await gatehouse.ask('upstreamsList')).find((one) => one.name === name);

const until = (gatehouse: Headless, name: string, status: string) =>
  eventually(
    async () => {
      const found = await statusOf(gatehouse, name);
      return found?.status === status ? found : null;
    },
    `${name} to be ${status}`,
    10_000,
  );

/** A command that is one file, so that one character of it is another file. Each leaves a record of its own. */
function program(base: string, letter: 'a' | 'b'): { readonly path: string; readonly record: string } {
  const path = join(base, `program-${letter}`);
  const record = join(base, `record-${letter}.jsonl`);
  writeFileSync(path, `#!/bin/sh\nexec '${process.execPath}' '${RECORDER}' '${record}'\n`, { mode: 0o755 });
  return { path, record };
}

describe('M5: config swapped on disk', () => {
  test('M5: one character of the command changed while the app is stopped: nothing of it runs, the person is asked and shown both, and it runs once confirmed', async () => {
    const base = newBase();
    const [a, b] = [program(base, 'a'), program(base, 'b')];
    const first = await startHeadless({ base });
    await first.add('rec', { command: a.path });
    await first.add('other', { args: [RECORDER, join(base, 'record-other.jsonl')] });
    await until(first, 'rec', 'ready');
    const key = await first.key('bystander');
    await first.review('other', 'read');
    expect(await first.stop()).toBe(0);
    rmSync(a.record);

    const db = join(base, 'data', 'state.db');
    onDisk(
      join(base, 'data'),
      "UPDATE upstreams SET transport = replace(transport, 'program-a', 'program-b') WHERE name = 'rec'",
    );
    expect(existsSync(db)).toBe(true);

    await using next = await startHeadless({ base });
    const [question] = await eventually(async () => {
      const waiting = await next.ask('confirmationsList');
      return waiting.length > 0 ? waiting : null;
    }, 'the question');
    expect(question?.title).toBe('The upstream "rec" was changed on disk. Confirm it as it is now?');
    expect(question?.requestedBy).toBe('Gatehouse');
    expect(question?.lines).toContainEqual({ label: 'Command, as you confirmed it', value: a.path });
    expect(question?.lines).toContainEqual({ label: 'Command, as it is now', value: b.path });
    expect(question?.lines).toContainEqual({ label: 'Name', value: 'rec' });

    const failed = await until(next, 'rec', 'failed');
    expect(failed.reason).toBe(
      'rec was changed on disk since you confirmed it, and is not started. See what is different, then confirm it as it is now, or remove it.',
    );
    for (const request of ['upstreamRestart', 'upstreamRefresh'] as const) {
      expect(await next.ask(request, { upstream: 'rec' })).toMatchObject({ kind: 'refused', message: failed.reason });
    }
    await next.ask('upstreamDisable', { upstream: 'rec' });
    await next.ask('upstreamEnable', { upstream: 'rec' });
    // A setting that nobody has to confirm does not confirm it either.
    expect(await next.ask('upstreamChange', { upstream: 'rec', limits: { callMs: 5000 } })).toMatchObject({
      kind: 'refused',
    });
    await until(next, 'rec', 'failed');
    const began = performance.now();
    expect((await next.call(key, 'other__echo', '{"text":"served"}')).message?.result).toHaveProperty('content');
    expect(performance.now() - began).toBeLessThan(1000);
    expect([a.record, b.record].filter(existsSync), 'nothing of it ran').toEqual([]);
    const entries = await next.audit((all) =>
      all.some(({ kind, upstream }) => kind === 'upstream_failed' && upstream === 'rec'),
    );
    expect(
      entries.filter(({ kind, upstream }) => kind === 'upstream_failed' && upstream === 'rec').at(-1),
    ).toMatchObject({
      detail: { errorClass: 'upstream_changed', final: true },
    });

    await next.ask('confirmationAnswer', { confirmation: question?.id ?? '', answer: 'confirm' });
    await until(next, 'rec', 'ready');
    expect([a.record, b.record].filter(existsSync)).toEqual([b.record]);
    await next.audit((all) => all.some(({ kind, upstream }) => kind === 'upstream_confirmed' && upstream === 'rec'));
    expect(await next.stop()).toBe(0);

    // What was confirmed is what holds from now on.
    await using last = await startHeadless({ base });
    expect(await until(last, 'rec', 'ready')).toMatchObject({ toConfirm: null, resolvedCommand: b.path });
  });

  test('M5: refused, it stays as it is and is asked about by "upstreams confirm" alone, which shows both', async () => {
    const base = newBase();
    const [a, b] = [program(base, 'a'), program(base, 'b')];
    const first = await startHeadless({ base });
    await first.add('rec', { command: a.path });
    await until(first, 'rec', 'ready');
    expect(await first.stop()).toBe(0);
    rmSync(a.record);
    onDisk(join(base, 'data'), "UPDATE upstreams SET resolved_command = ? WHERE name = 'rec'", b.path);

    await using next = await startHeadless({ base });
    const ask = () => eventually(async () => (await next.ask('confirmationsList'))[0] ?? null, 'the question');
    expect((await ask()).lines).toContainEqual({ label: 'Runs, as it is now', value: b.path });
    await next.ask('confirmationAnswer', { confirmation: (await ask()).id, answer: 'refuse' });
    await next.ask('upstreamDisable', { upstream: 'rec' });
    await next.ask('upstreamEnable', { upstream: 'rec' });
    await until(next, 'rec', 'failed');
    expect(await next.ask('confirmationsList')).toEqual([]);

    const asking = next.cli(['upstreams', 'confirm', 'rec']);
    await next.ask('confirmationAnswer', { confirmation: (await ask()).id, answer: 'refuse' });
    const said = await asking;
    expect(said.stderr).toContain(`- Runs: ${a.path}\n+ Runs: ${b.path}\n`);
    expect(said).toMatchObject({ code: 1 });
    expect([a.record, b.record].filter(existsSync)).toEqual([]);
  });
});
