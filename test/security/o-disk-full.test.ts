import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../support/gatehouse.ts';
import {
  environmentOf,
  type Headless,
  newBase,
  RECORDER,
  ran,
  reached,
  startHeadless,
  startWords,
} from '../support/headless.ts';
import { CAN_MOUNT, fill, mountTmpfs, unmount } from '../support/tmpfs.ts';

// Whoever may not mount has the other way, further down.
const onDisk = CAN_MOUNT ? test : () => {};
onDisk(
  'O6: on a full disk every call is 41014 within a second and reaches nothing; with space it goes on by itself',
  {
    timeout: 60_000,
  },
  async () => {
    const base = newBase();
    const folder = join(base, 'data');
    mkdirSync(folder, { mode: 0o700 });
    mountTmpfs(folder, 'size=2m,mode=700');
    onTestFinished(() => {
      unmount(folder);
      rmSync(base, { recursive: true, force: true });
    });
    await using gatehouse = await startHeadless({ base, folder });
    const ballast = join(folder, 'ballast');
    await outage(gatehouse, {
      begin: () => fill(ballast),
      end: () => rmSync(ballast),
      reason: `The disk that holds ${join(folder, 'audit.db')} is full. Free some space on it. Gatehouse goes on by itself as soon as it can write.`,
    });
    await gatehouse.stop();

    // A start needs some space, and says so however little is missing.
    const env = environmentOf(base);
    fill(ballast);
    expect(await ran(startWords(folder), env)).toMatchObject({ code: 1, stderr: expect.stringMatching(FULL) });
    const said: string[] = [];
    for (const free of [16, 48, 96, 160]) {
      truncateSync(ballast, statSync(ballast).size - free * 1024);
      const { code, stderr } = await gatehouse.cli(['keys', 'list']);
      if (code !== 0) said.push(stderr);
      fill(ballast);
    }
    expect(said.length).toBeGreaterThan(0);
    for (const each of said) expect(each).toMatch(FULL);
  },
);

const FULL =
  /^(Gatehouse runs headless: --headless was given\.\n)?gatehouse: (The disk that holds \S+ is full\. Free some space on it\.|\S+ cannot be written \(SQLITE_IOERR_\w+\)\. See that its disk has free space and is in order\.|The data folder \S+ cannot be used: its disk is full \(\w+\)\. Free some space, or start with another --data folder\.)\n$/;

test('O6: the same when no file may grow (RLIMIT_FSIZE)', { timeout: 60_000 }, async () => {
  await using gatehouse = await startHeadless();
  const limit = (bytes: number | 'unlimited') =>
    execFileSync('prlimit', [`--pid=${gatehouse.pid}`, `--fsize=${bytes}:unlimited`]);
  const size = (name: string) => statSync(join(gatehouse.folder, name)).size;
  await outage(gatehouse, {
    begin: () => limit(Math.min(...['audit.db', 'audit.db-wal', 'state.db', 'state.db-wal'].map(size))),
    end: () => limit('unlimited'),
    reason: expect.stringMatching(
      /audit\.db cannot be written \(SQLITE_IOERR_\w+\)\. See that its disk has free space and is in order\. Gatehouse goes on by itself as soon as it can write\.$|audit\.db is full\. /,
    ),
  });
});

async function outage(
  gatehouse: Headless,
  disk: { begin(): void; end(): void; readonly reason: string },
): Promise<void> {
  const record = join(gatehouse.base, 'tmp', 'record.jsonl');
  const gatedRecord = join(gatehouse.base, 'tmp', 'gated.jsonl');
  await gatehouse.add('open', { args: [RECORDER, record] });
  await gatehouse.add('gated', { args: [RECORDER, gatedRecord] });
  await gatehouse.review('open', 'read');
  await gatehouse.review('gated', 'write');
  const key = await gatehouse.key('agent');
  const bystander = await gatehouse.key('bystander');
  const before = await gatehouse.call(key, 'open__echo', '{"text":"before"}');
  expect(before.message?.result).not.toHaveProperty('isError');
  expect((await gatehouse.ask('status')).banners).toEqual([]);

  // One waits for a yes when the disk fills.
  const parked = gatehouse.call(key, 'gated__echo', '{"text":"parked"}');
  const card = await gatehouse.card();

  disk.begin();
  const yes = await gatehouse.ask('approvalApprove', { approval: card.id, argumentsSha256: card.argumentsSha256 });
  expect(yes).toMatchObject({
    kind: 'refused',
    message: expect.stringMatching(
      /^The answer cannot be saved, so nothing was run \(.*\)\. See that the data folder can be written, then answer again\.$/,
    ),
  });
  // The first one finds out; nothing has said before that the disk is full.
  for (const tool of ['open__echo', 'gated__echo', 'open__echo', 'gated__echo']) {
    const began = performance.now();
    const answer = await gatehouse.call(key, tool, '{"text":"during"}');
    expect(performance.now() - began, tool).toBeLessThan(1000);
    expect(answer.message?.result, `${tool} ${answer.status} ${answer.text}`).toMatchObject({
      isError: true,
      _meta: { 'gatehouse/code': 41014, 'gatehouse/class': 'audit_unavailable' },
    });
  }
  expect((await gatehouse.ask('approvalsList', { state: 'waiting' })).map(({ id }) => id)).toEqual([card.id]);
  const seen = [...reached(record), ...reached(gatedRecord)];
  expect(seen).toHaveLength(1);
  const status = await gatehouse.ask('status');
  expect(status.healthy).toBe(false);
  expect(status.banners).toEqual([expect.stringMatching(/^Calls are refused: the audit log cannot be written\. /)]);
  expect(status.banners[0]?.replace('Calls are refused: the audit log cannot be written. ', '')).toEqual(disk.reason);
  expect(await (await fetch(new URL('/health', gatehouse.endpoint))).json()).toEqual({ status: 'degraded' });
  // Who only looks is served, a second client too.
  for (const each of [key, bystander]) {
    const began = performance.now();
    const found = await gatehouse.call(each, 'find_tools', '{"query":"echo"}');
    expect(performance.now() - began).toBeLessThan(1000);
    expect(found.message?.result, found.text).toHaveProperty('structuredContent');
  }

  disk.end();
  const back = performance.now();
  await eventually(async () => {
    const answer = await gatehouse.call(key, 'open__echo', '{"text":"after"}');
    return answer.message?.result?.isError === true ? null : true;
  }, 'calls to run again');
  expect(performance.now() - back).toBeLessThan(3000);
  await gatehouse.approve(card);
  expect((await parked).message?.result).not.toHaveProperty('isError');
  expect(reached(gatedRecord).filter((line) => line.includes('parked'))).toHaveLength(1);
  const gated = gatehouse.call(bystander, 'gated__echo', '{"text":"after"}');
  await gatehouse.approve(await gatehouse.card());
  expect((await gated).message?.result).not.toHaveProperty('isError');
  expect(await gatehouse.ask('status')).toMatchObject({ healthy: true, banners: [] });
  expect([...reached(record), ...reached(gatedRecord)].filter((line) => line.includes('during'))).toEqual([]);

  // What was refused is on record all the same, once each, and so is the gap.
  const entries = await gatehouse.audit((all) => all.filter(({ tool }) => tool === 'echo').length > 6);
  const refused = entries.filter(({ errorClass }) => errorClass === 'audit_unavailable');
  expect(refused.filter(({ detail }) => String(detail.arguments).includes('during'))).toHaveLength(4);
  expect(entries.filter(({ kind }) => kind === 'audit_unavailable_gap')).toHaveLength(1);
  expect(await gatehouse.ask('auditVerify')).toMatchObject({ ok: true, problem: null });
}
