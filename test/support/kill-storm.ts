import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect } from 'vitest';
import { eventually } from './gatehouse.ts';
import { type Headless, newBase, RECORDER, reached, startHeadless } from './headless.ts';

/**
 * Row O4: kills Gatehouse so many times at random moments under 50 calls per second, some of them approved while it
 * happens, and asserts after each kill that the databases are whole, the chain verifies, and nothing reached an upstream
 * that is not in the audit as forwarded, nor twice; after each new start that every call the kill cut off is closed, as
 * interrupted where it was forwarded and as not executed where it only waited, and that a yes from before the kill runs
 * nothing. The seed makes the moments the same again; what the machine does in them differs.
 */
export async function killStorm({ kills, seed }: { readonly kills: number; readonly seed: number }): Promise<void> {
  const base = newBase();
  const folder = join(base, 'data');
  const records = { open: join(base, 'open.jsonl'), gated: join(base, 'gated.jsonl') };
  mkdirSync(folder, { recursive: true });
  const next = random(seed);
  const storm: Storm = { next: 0, approved: new Set(), unanswered: new Set() };
  let interrupted = 0;
  let waiting = 0;
  let retried = 0;
  let key = '';
  try {
    // A yes that had not run when the kill came is rare on a busy machine: it goes on until one was.
    for (let kill = 0; kill < kills || (retried === 0 && kill < kills * 3); kill += 1) {
      await using gatehouse = await startHeadless({ base, folder });
      if (kill === 0) {
        await gatehouse.add('open', { args: [RECORDER, records.open, '--delay=15'] });
        await gatehouse.add('gated', { args: [RECORDER, records.gated, '--delay=15'] });
        await gatehouse.review('open', 'read');
        await gatehouse.review('gated', 'write');
        key = await gatehouse.key('agent');
      }
      // A client that was cut off calls again, with a yes from before the kill and without a new one.
      const cutOff = [...storm.unanswered];
      const again = [
        ...cutOff.filter((text) => !storm.approved.has(text)),
        ...cutOff.filter((text) => storm.approved.has(text)),
      ].slice(-2);
      storm.unanswered.clear();
      for (const text of again) void call(gatehouse, key, 'gated', text);
      retried += again.filter((text) => storm.approved.has(text)).length;
      const underWay = load(gatehouse, key, storm, new Set(again));
      await new Promise((resolve) => setTimeout(resolve, 60 + next() * 400));
      await gatehouse.stop('SIGKILL');
      await underWay.stop();
      const cut = checkAfterKill(folder, records, storm);
      interrupted += cut.interrupted;
      waiting += cut.waiting;
    }
    await using last = await startHeadless({ base, folder });
    expect(await last.ask('auditVerify')).toMatchObject({ ok: true, problem: null });
    expect((await last.call(key, 'open__echo', '{"text":"still here"}')).message?.result).not.toHaveProperty('isError');
    await last.stop();
    expect(openCalls(folder)).toEqual([]);
    const closed = (outcome: string) => rows(folder, `SELECT detail FROM entries WHERE outcome = '${outcome}'`).length;
    expect({ interrupted: closed('interrupted'), waiting: closed('not_executed') }).toEqual({ interrupted, waiting });
    // A storm that never hit a call in flight, a waiting card or a yes that had not run, or never let one through, has
    // shown nothing.
    expect(interrupted).toBeGreaterThan(0);
    expect(waiting).toBeGreaterThan(0);
    expect(retried).toBeGreaterThan(0);
    expect(textsIn(records.open).length).toBeGreaterThan(kills);
    expect(textsIn(records.gated).length).toBeGreaterThan(0);
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}

interface Storm {
  next: number;
  /** Gated calls that a yes was sent for. */
  readonly approved: Set<string>;
  /** Gated calls whose answer never came. */
  readonly unanswered: Set<string>;
}

/** Says yes to every card but those of calls from before the kill; stopped once whatever is on its way has failed. */
function load(gatehouse: Headless, key: string, storm: Storm, before: ReadonlySet<string>): { stop(): Promise<void> } {
  const under = new Set<Promise<void>>();
  const follow = (work: Promise<void>) => {
    under.add(work);
    void work.finally(() => under.delete(work));
  };
  const send = (upstream: 'open' | 'gated') => {
    storm.next += 1;
    const text = `o4-${storm.next}`;
    if (upstream === 'open') return follow(call(gatehouse, key, upstream, text).then(() => {}));
    storm.unanswered.add(text);
    follow(
      call(gatehouse, key, upstream, text).then((isAnswered) => {
        if (isAnswered) storm.unanswered.delete(text);
      }),
    );
  };
  const approveAll = async () => {
    for (const card of await gatehouse.ask('approvalsList', { state: 'waiting' })) {
      const text = textOf(card.argumentsText);
      if (before.has(text) || storm.approved.has(text)) continue;
      storm.approved.add(text);
      void gatehouse
        .ask('approvalApprove', { approval: card.id, argumentsSha256: card.argumentsSha256 })
        .catch(() => {});
    }
  };
  const timers = [
    setInterval(() => send('open'), 25),
    setInterval(() => send('gated'), 90),
    setInterval(() => void approveAll().catch(() => {}), 30),
  ];
  return {
    async stop() {
      for (const timer of timers) clearInterval(timer);
      await eventually(() => (under.size === 0 ? true : null), 'every call to have failed with the connection');
    },
  };
}

/** Whether an answer came, whatever it says: a call that was refused at once is no call that was cut off. */
const call = (gatehouse: Headless, key: string, upstream: string, text: string): Promise<boolean> =>
  gatehouse.call(key, `${upstream}__echo`, JSON.stringify({ text })).then(
    () => true,
    () => false,
  );

/** Read with a connection of our own, as somebody with a database tool would; returns how many calls were cut off. */
function checkAfterKill(
  folder: string,
  records: { readonly open: string; readonly gated: string },
  { approved }: Storm,
): { readonly interrupted: number; readonly waiting: number } {
  for (const name of ['audit.db', 'state.db']) expect(check(join(folder, name)), name).toBe('ok');
  // The arguments stand in the first entry of a call: `asked`, or `forwarded` where nobody was asked.
  const forwarded = rows(
    folder,
    `SELECT f.upstream, a.detail FROM entries f JOIN entries a USING (request_id) WHERE f.phase = 'forwarded'
     AND a.seq = (SELECT min(seq) FROM entries WHERE request_id = f.request_id)`,
  );
  for (const upstream of ['open', 'gated'] as const) {
    const recorded = forwarded.filter((row) => row.upstream === upstream).map(({ detail }) => textOf(String(detail)));
    const arrived = textsIn(records[upstream]);
    expect(
      arrived.filter((text) => !recorded.includes(text)),
      `reached ${upstream} without a record`,
    ).toEqual([]);
    expect(arrived.length, `nothing reached ${upstream} twice`).toBe(new Set(arrived).size);
    expect(recorded.length, `nothing was forwarded to ${upstream} twice`).toBe(new Set(recorded).size);
    if (upstream === 'gated')
      expect(
        recorded.filter((text) => !approved.has(text)),
        'ran without a yes',
      ).toEqual([]);
  }
  const entries = rows(folder, 'SELECT seq, prev, hash FROM entries ORDER BY seq');
  entries.forEach(({ prev }, n) => {
    if (n > 0) expect(prev).toBe(entries[n - 1]?.hash);
  });
  const cut = openCalls(folder);
  const interrupted = cut.filter(({ phases }) => String(phases).includes('forwarded')).length;
  return { interrupted, waiting: cut.length - interrupted };
}

/** Calls that have begun and not ended. */
function openCalls(folder: string): readonly Record<string, unknown>[] {
  return rows(
    folder,
    `SELECT request_id, group_concat(phase) AS phases FROM entries WHERE kind = 'tool_call' GROUP BY request_id
     HAVING sum(phase = 'ended') <> 1`,
  );
}

/** Which calls reached a recorder upstream, in order. */
const textsIn = (record: string): readonly string[] => reached(record).map((line) => textOf(line));

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
