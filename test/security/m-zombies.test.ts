import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../support/gatehouse.ts';
import { type Headless, RECORDER, startHeadless } from '../support/headless.ts';
import { processesHolding } from '../support/processes.ts';

/** Stays whatever signal it gets but KILL, and holds the pipes open. */
const STUBBORN = `trap '' TERM HUP INT; while :; do sleep 1; done`;

/** A wrapper that starts a server (in front: a shell gives what is behind no input) and a grandchild that does not want to go. */
const TREES: readonly (readonly [what: string, script: string])[] = [
  ['in the group', `sh -c "${STUBBORN}" & node "$@"; :`],
  ['in a session of its own', `setsid sh -c "${STUBBORN}" & node "$@"; :`],
  ['under a wrapper that is stubborn itself', `trap '' TERM; sh -c "${STUBBORN}" & node "$@"; ${STUBBORN}`],
  ['in a session of its own whose parent is gone already', `(setsid sh -c "${STUBBORN}" &) ; exec node "$@"`],
  ['whose parent is gone already', `(sh -c "${STUBBORN}" &) ; exec node "$@"`],
];

/** Lets go of everything that could tell whose it is; only its parent knows, as long as it lives. */
const ALOOF = [
  'in a session of its own, without the pipes',
  `setsid sh -c "${STUBBORN}" </dev/null >/dev/null 2>&1 & node "$@"; :`,
] as const;

interface Tree {
  readonly what: string;
  readonly mark: string;
  readonly id: string;
}

const plantAll = (gatehouse: Headless, trees = [...TREES, ALOOF]) =>
  Promise.all(trees.map(([what, script], n) => plant(gatehouse, what, `tree${n}`, script)));

async function plant(gatehouse: Headless, what: string, name: string, script: string): Promise<Tree> {
  const mark = randomUUID();
  // When the claim does not hold, the machine shall not keep the proof.
  onTestFinished(() => processesHolding(mark).forEach((pid) => void process.kill(pid, 'SIGKILL')));
  const record = join(gatehouse.base, `${name}.jsonl`);
  const args = ['-c', script, 'sh', RECORDER, record];
  const { id } = await gatehouse.add(name, { command: '/bin/sh', args, secrets: { MARK: mark } });
  await eventually(
    async () => ((await gatehouse.ask('upstreamsList')).find((one) => one.id === id)?.status === 'ready' ? true : null),
    `${name} to be ready`,
    10_000,
  );
  // Wrapper or server, and the stubborn one with its sleep.
  await eventually(() => (processesHolding(mark).length >= 3 ? true : null), 'the whole tree');
  return { what, mark, id };
}

describe('M9: nothing that an upstream started outlives it', () => {
  test('M9: grandchildren that ignore SIGTERM and hold the pipes are gone within 5 s of a stop; others are served meanwhile', async () => {
    await using gatehouse = await startHeadless();
    const key = await gatehouse.key('bystander');
    const trees = await plantAll(gatehouse);
    const began = performance.now();
    const stops = trees.map(async ({ what, mark, id }) => {
      expect(await gatehouse.ask('upstreamDisable', { upstream: id })).toMatchObject({ kind: 'done' });
      expect(processesHolding(mark), what).toEqual([]);
      expect(performance.now() - began, what).toBeLessThan(5000);
    });
    const call = performance.now();
    expect((await gatehouse.call(key, 'demo__list_notes')).message?.result).toHaveProperty('structuredContent');
    expect(performance.now() - call).toBeLessThan(1000);
    await Promise.all(stops);
    const entries = await gatehouse.audit((all) => all.some(({ kind }) => kind === 'upstream_disabled'));
    for (const name of trees.map((_, n) => `tree${n}`)) {
      expect(entries.filter(({ upstream }) => upstream === name).map(({ kind }) => kind)).toEqual(
        expect.arrayContaining(['upstream_added', 'upstream_started', 'upstream_stopped', 'upstream_disabled']),
      );
    }
  });

  test('M9: after SIGTERM to Gatehouse all of them are gone within 5 s, and so is Gatehouse', async () => {
    await using gatehouse = await startHeadless();
    const trees = await plantAll(gatehouse);
    const began = performance.now();
    expect(await gatehouse.stop('SIGTERM')).toBe(0);
    expect(trees.flatMap(({ mark }) => processesHolding(mark))).toEqual([]);
    expect(performance.now() - began).toBeLessThan(5000);
  });

  test('M9: what a killed Gatehouse could not stop is ended by the next start', async () => {
    await using killed = await startHeadless();
    const trees = await plantAll(killed);
    // Who let go of session and pipes is known by having been seen while its parent lived.
    const aloof = trees.at(-1);
    const written = new Database(join(killed.folder, 'state.db'), { readonly: true });
    onTestFinished(() => void written.close());
    const known = written.prepare<[], number>('SELECT pid FROM upstream_processes').pluck();
    await eventually(() => {
      const pids = new Set(known.all());
      return aloof && processesHolding(aloof.mark).filter((pid) => pids.has(pid)).length >= 2 ? true : null;
    }, 'its processes to be written down');
    const before = trees.flatMap(({ mark }) => processesHolding(mark));
    await killed.stop('SIGKILL');
    const survivors = trees.flatMap(({ mark }) => processesHolding(mark));
    expect(survivors.length).toBeGreaterThan(0);
    await using next = await startHeadless({ base: killed.base });
    await eventually(() => {
      const now = new Set(trees.flatMap(({ mark }) => processesHolding(mark)));
      return before.some((pid) => now.has(pid)) ? null : true;
    }, 'the old trees to be gone');
    expect(await next.stop()).toBe(0);
    expect(trees.flatMap(({ mark }) => processesHolding(mark))).toEqual([]);
  });
});
