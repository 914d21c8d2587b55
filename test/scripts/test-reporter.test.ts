import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ROOT, ran } from './program.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gh-reporter-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs real vitest over one file of tests and gives what the reporter counted. */
async function counted(tests: string) {
  writeFileSync(join(folder, 'some.test.mjs'), tests);
  writeFileSync(
    join(folder, 'vitest.config.mjs'),
    'export default { test: { globals: true, include: ["*.test.mjs"] } }',
  );
  const counts = join(folder, 'counts.json');
  const reporter = `--reporter=${join(ROOT, 'scripts/test-reporter.mjs')}`;
  await ran(process.execPath, [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', '--root', folder, reporter], {
    env: { GATEHOUSE_TEST_COUNTS: counts },
    cwd: folder,
  });
  return JSON.parse(readFileSync(counts, 'utf8'));
}

test('what passed, what failed, and what was skipped with which reason are counted apart', async () => {
  const counts = await counted(`
    test('good', () => {});
    test('bad', () => { throw new Error('no'); });
    test('for a reason', (context) => context.skip('no keyring here'));
    test.skip('for none', () => {});
    test.todo('later');
    describe.skip('a real keyring (needs gnome-keyring)', () => { test('keeps', () => {}); });
  `);
  expect(counts).toMatchObject({ passed: 1, failed: 1, broken: [] });
  expect(counts.skipped).toEqual([
    { name: 'for a reason', reason: 'no keyring here' },
    { name: 'for none', reason: null },
    { name: 'later', reason: null },
    { name: 'a real keyring (needs gnome-keyring) > keeps', reason: 'needs gnome-keyring' },
  ]);
});

test('a file that cannot be loaded is broken, not absent', async () => {
  const counts = await counted(`import './nowhere.mjs'; test('never seen', () => {});`);
  expect(counts).toMatchObject({ passed: 0, failed: 0 });
  expect(counts.broken).toHaveLength(1);
});

test('an error that no test caught is broken', async () => {
  const counts = await counted(`test('good', () => { Promise.reject(new Error('loose')); });`);
  expect(counts.broken).toEqual([expect.stringContaining('loose')]);
});
