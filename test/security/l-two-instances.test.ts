import { execFileSync } from 'node:child_process';
import { rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runMain } from '../support/electron-double/desktop-app.ts';
import { eventually } from '../support/gatehouse.ts';
import { cli, environmentOf, newBase, ran, startHeadless, startWords } from '../support/headless.ts';
import { withinASecond } from '../support/promptly.ts';

/** The processes that have the audit log open. */
function writers(folder: string): readonly number[] {
  const open = execFileSync('lsof', ['-t', join(folder, 'audit.db')], { encoding: 'utf8' });
  return [...new Set(open.split('\n').filter(Boolean).map(Number))];
}

const refusal = (folder: string, pid: number) =>
  `gatehouse: Gatehouse already runs with the data folder ${folder} (process ${pid}). Use that one, or start with another --data folder.\n`;

test('L21: a second Gatehouse on the same profile refuses in one sentence; the first serves on, alone', async () => {
  await using first = await startHeadless();
  const key = await first.key('caller');
  const link = join(first.base, 'the-same');
  symlinkSync(first.folder, link);
  const env = environmentOf(first.base);

  for (const folder of [first.folder, `${first.folder}/`, link]) {
    const second = await ran(startWords(folder), env);
    expect([second.code, second.stdout]).toEqual([1, '']);
    expect(second.stderr).toContain(refusal(folder.replace(/\/$/, ''), first.pid));
    expect(writers(first.folder)).toEqual([first.pid]);
  }

  // Several at once: none gets in, and a call is served meanwhile within a second.
  const crowd = Promise.all(Array.from({ length: 4 }, () => ran(startWords(first.folder), env)));
  const answer = await withinASecond(() => first.call(key, 'demo__list_notes'));
  expect(answer.message?.result).toHaveProperty('structuredContent');
  expect((await crowd).map(({ code }) => code)).toEqual([1, 1, 1, 1]);
  expect(writers(first.folder)).toEqual([first.pid]);

  const started = (await first.audit()).filter(({ kind }) => kind === 'app_started' || kind === 'audit_opened');
  expect(started.map(({ kind }) => kind).toSorted()).toEqual(['app_started', 'audit_opened']);
  expect((await first.ask('auditVerify')).ok).toBe(true);
});

test('L21: of several started at the same moment exactly one runs', async () => {
  const base = newBase();
  const folder = join(base, 'data');
  const all = await Promise.allSettled([1, 2, 3].map(() => startHeadless({ base, folder })));
  const running = all.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const refused = all.flatMap((each) => (each.status === 'rejected' ? [String(each.reason)] : []));
  expect(running).toHaveLength(1);
  expect(refused).toHaveLength(2);
  for (const reason of refused) expect(reason).toContain('Gatehouse already runs with the data folder');
  expect((await running[0]?.ask('auditVerify'))?.ok).toBe(true);
  await running[0]?.stop();
  rmSync(base, { recursive: true, force: true });
});

test('L21: the desktop app refuses a profile that a headless Gatehouse has, in the same words', async () => {
  await using headless = await startHeadless();
  const desktop = runMain(['--data', headless.folder, '--port', '0', '--json']);
  const { code, stdout, stderr } = await desktop.exit;
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toContain(refusal(headless.folder, headless.pid).replace('gatehouse: ', '').trim());
  expect(writers(headless.folder)).toEqual([headless.pid]);
  expect((await headless.ask('auditVerify')).ok).toBe(true);
});

test('L21: the command line hands over to the Gatehouse that runs, and opens nothing itself', async () => {
  await using app = await startHeadless();
  const made = app.cli(['keys', 'create', '--name', 'from-the-command-line']);
  const confirmation = await eventually(async () => (await app.ask('confirmationsList'))[0] ?? null, 'the question');
  expect(writers(app.folder)).toEqual([app.pid]);
  await app.ask('confirmationAnswer', { confirmation: confirmation.id, answer: 'confirm' });
  const { code, stdout } = await made;
  expect(code).toBe(0);
  // The running one knows the key at once: there is one gateway and one store.
  expect((await app.call(stdout.trim(), 'demo__list_notes')).status).toBe(200);
  const entries = await app.audit((all) => all.some(({ kind }) => kind === 'key_created'));
  expect(entries.filter(({ kind }) => kind === 'audit_opened')).toHaveLength(1);

  // Without its socket the command line does not go round the lock.
  rmSync(join(app.folder, 'control.sock'));
  const around = await cli(app.folder, environmentOf(app.base), ['keys', 'list']);
  expect([around.code, around.stdout, around.stderr]).toEqual([1, '', refusal(app.folder, app.pid)]);
  expect(writers(app.folder)).toEqual([app.pid]);
});
