import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/gatehouse.ts';
import { cli, environmentOf, newBase, ran, startHeadless } from '../support/headless.ts';

let base: string;
let folder: string;
let key: string;
beforeAll(async () => {
  base = newBase();
  folder = join(base, 'data');
  await using gatehouse = await startHeadless({ base, folder });
  key = await gatehouse.key('agent');
  for (let n = 0; n < 10; n += 1) await gatehouse.call(key, 'demo__read_note', `{"title":"note ${n}"}`);
  await gatehouse.audit((all) => all.filter(({ phase }) => phase === 'ended').length === 10);
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

/** With the tool that the row names, and on a copy. */
async function tampered(
  name: string,
  statements: (seq: number) => string,
): Promise<{ readonly folder: string; readonly seq: number; readonly said: string }> {
  const copy = join(base, name);
  await ran(['cp', '-r', folder, copy], process.env as Record<string, string>);
  const path = join(copy, 'audit.db');
  const sqlite = async (sql: string) => ran(['sqlite3', path, sql], process.env as Record<string, string>);
  const seq = Number(
    (await sqlite(`SELECT seq FROM entries WHERE phase = 'ended' ORDER BY seq LIMIT 1 OFFSET 5`)).stdout,
  );
  expect(seq).toBeGreaterThan(5);
  const { stderr } = await sqlite(statements(seq));
  return { folder: copy, seq, said: stderr };
}

const WITHOUT_TRIGGERS = 'DROP TRIGGER entries_refuse_update; DROP TRIGGER entries_refuse_delete;';

describe('O8: somebody with a database tool', () => {
  test('O8: an UPDATE or DELETE of a row is refused by the log itself', async () => {
    for (const [name, sql] of [
      ['update', (seq: number) => `UPDATE entries SET outcome = 'refused' WHERE seq = ${seq}`],
      ['delete', (seq: number) => `DELETE FROM entries WHERE seq = ${seq}`],
      ['replace', (seq: number) => `INSERT OR REPLACE INTO entries SELECT * FROM entries WHERE seq = ${seq}`],
    ] as const) {
      const { folder: copy, said } = await tampered(`refused-${name}`, sql);
      expect(said, name).toContain('the audit log is append-only');
      expect((await cli(copy, environmentOf(base), ['audit', 'verify'])).code, name).toBe(0);
    }
  });

  test.each([
    ['edited', (seq: number) => `UPDATE entries SET outcome = 'refused' WHERE seq = ${seq}`],
    ['deleted', (seq: number) => `DELETE FROM entries WHERE seq = ${seq}`],
    [
      'edited with its hash',
      (seq: number) => `UPDATE entries SET outcome = 'refused', hash = '${'a'.repeat(64)}' WHERE seq = ${seq}`,
    ],
    ['moved in time', (seq: number) => `UPDATE entries SET at = at - 86400000 WHERE seq = ${seq}`],
  ])(
    'O8: a middle row %s: verify names the first bad entry with exit code 1, and every start says so',
    async (what, sql) => {
      const { folder: copy, seq } = await tampered(what.replaceAll(' ', '-'), (n) => `${WITHOUT_TRIGGERS} ${sql(n)}`);
      const verified = await cli(copy, environmentOf(base), ['audit', 'verify']);
      expect(verified.code).toBe(1);
      expect(verified.stdout).toMatch(new RegExp(`^The audit does NOT verify at entry ${seq}: [A-Z].*\\n`));

      await using gatehouse = await startHeadless({ base, folder: copy });
      const warned = await eventually(async () => {
        const { banners } = await gatehouse.ask('status');
        return banners.length > 0 ? banners : null;
      }, 'the warning');
      expect(warned).toEqual([
        expect.stringMatching(
          new RegExp(
            `^The audit log is not as Gatehouse left it\\. Entry ${seq} .*\\. "gatehouse audit verify" says more\\.$`,
          ),
        ),
      ]);
      expect((await gatehouse.cli(['status'])).stdout).toContain(`! ${warned[0]}\n`);
      expect(await gatehouse.ask('auditVerify')).toMatchObject({ ok: false, badSeq: seq });
      // What is recorded from now on is; whoever calls is served.
      const began = performance.now();
      expect((await gatehouse.call(key, 'demo__list_notes')).message?.result).not.toHaveProperty('isError');
      expect(performance.now() - began).toBeLessThan(1000);
    },
  );
});
