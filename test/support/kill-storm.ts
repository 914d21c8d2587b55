import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect } from 'vitest';
import { type Headless, newBase, RECORDER, reached, startHeadless } from './headless.ts';

/**
 * Row O4: kills Gatehouse so many times at random moments under 50 calls per second and asserts after each that the
 * databases are whole, the chain verifies, and nothing reached the upstream that is not in the audit as forwarded; after
 * each new start that every call the kill cut off is closed, as interrupted where it was forwarded. The seed makes the
 * moments the same again; what the machine does in them differs.
 */
export async function killStorm({ kills, seed }: { readonly kills: number; readonly seed: number }): Promise<void> {
  const base = newBase();
  const folder = join(base, 'data');
  const record = join(base, 'record.jsonl');
  mkdirSync(folder, { recursive: true });
  const next = random(seed);
  let interrupted = 0;
  let calls = 0;
  let key = '';
  try {
    for (let kill = 0; kill < kills; kill += 1) {
      await using gatehouse = await startHeadless({ base, folder });
      if (kill === 0) {
        await gatehouse.add('rec', { args: [RECORDER, record, '--delay=15'] });
        await gatehouse.review('rec', 'read');
        key = await gatehouse.key('agent');
      }
      const underWay = load(gatehouse, key, () => `o4-${++calls}`);
      await new Promise((resolve) => setTimeout(resolve, 60 + next() * 400));
      await gatehouse.stop('SIGKILL');
      underWay.stop();
      interrupted += checkAfterKill(folder, record);
    }
    await using last = await startHeadless({ base, folder });
    expect(await last.ask('auditVerify')).toMatchObject({ ok: true, problem: null });
    expect((await last.call(key, 'rec__echo', '{"text":"still here"}')).message?.result).not.toHaveProperty('isError');
    await last.stop();
    expect(openCalls(folder)).toEqual([]);
    const closed = rows(folder, `SELECT detail FROM entries WHERE outcome = 'interrupted'`);
    expect(closed).toHaveLength(interrupted);
    // A storm that never hit a call in flight, or never let one through, has shown nothing.
    expect(interrupted).toBeGreaterThan(0);
    expect(reached(record).length).toBeGreaterThan(kills);
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}

/** 50 calls per second until it is stopped; how they end does not matter here. */
function load(gatehouse: Headless, key: string, text: () => string): { stop(): void } {
  const timer = setInterval(() => {
    gatehouse.call(key, 'rec__echo', JSON.stringify({ text: text() })).catch(() => {});
  }, 20);
  return { stop: () => clearInterval(timer) };
}

/** Read with a connection of our own, as somebody with a database tool would; returns how many calls were cut off. */
function checkAfterKill(folder: string, record: string): number {
  for (const name of ['audit.db', 'state.db']) expect(check(join(folder, name)), name).toBe('ok');
  const forwarded = new Set(
    rows(folder, `SELECT detail FROM entries WHERE phase = 'forwarded'`).map(({ detail }) => textOf(String(detail))),
  );
  const arrived = reached(record).map((line) => textOf(JSON.stringify((JSON.parse(line) as Call).params)));
  expect(
    arrived.filter((text) => !forwarded.has(text)),
    'reached the upstream without a record',
  ).toEqual([]);
  const entries = rows(folder, 'SELECT seq, prev, hash FROM entries ORDER BY seq');
  entries.forEach(({ prev }, n) => {
    if (n > 0) expect(prev).toBe(entries[n - 1]?.hash);
  });
  return openCalls(folder).filter(({ phases }) => String(phases).includes('forwarded')).length;
}

/** Calls that have begun and not ended. */
function openCalls(folder: string): readonly Record<string, unknown>[] {
  return rows(
    folder,
    `SELECT request_id, group_concat(phase) AS phases FROM entries WHERE kind = 'tool_call' GROUP BY request_id
     HAVING sum(phase = 'ended') <> 1`,
  );
}

interface Call {
  readonly params: unknown;
}

function textOf(json: string): string {
  return /o4-\d+|still here/.exec(json)?.[0] ?? `no marker in ${json}`;
}

function check(path: string): unknown {
  const db = new Database(path);
  try {
    return db.pragma('integrity_check', { simple: true });
  } finally {
    db.close();
  }
}

function rows(folder: string, sql: string): readonly Record<string, unknown>[] {
  const db = new Database(join(folder, 'audit.db'));
  try {
    return db.prepare<[], Record<string, unknown>>(sql).all();
  } finally {
    db.close();
  }
}

/** mulberry32. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
