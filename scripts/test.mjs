import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureDebianPackages } from './debian-packages.mjs';
import { environment, ROOT, underNode24 } from './node24.mjs';
import { say } from './progress.mjs';
import { setUp } from './setup.mjs';

/*
 * `npm test`: everything the tests need, then type check, lint and every test. The last line is `N passed, N failed`.
 * `npm test -- test/core/policy` runs those tests only. `--long` (npm run test:long) runs in full what is long by nature.
 */
await underNode24();
const asked = process.argv.slice(2);
const long = asked.includes('--long');
const filters = asked.filter((word) => word !== '--long');
await setUp();
await ensureDebianPackages();

const env = {
  ...environment(),
  // A forgotten stand-in for Electron must neither reach the network nor hang.
  ELECTRON_OVERRIDE_DIST_PATH: '/nonexistent',
  ...(long ? { GATEHOUSE_TEST_LONG: '1' } : {}),
};
const bin = (name) => join(ROOT, 'node_modules/.bin', name);

let current = null;
process.on('SIGTERM', () => {
  current?.kill('SIGTERM');
  process.exit(143);
});

const total = { passed: 0, failed: 0 };
if (filters.length === 0) {
  await step('Type check', bin('tsc'), ['--noEmit']);
  await step('Type check of the renderer', bin('tsc'), ['--noEmit', '-p', 'renderer']);
  await step('Lint', bin('biome'), ['check', '--error-on-warnings', '.']);
}
await tests();
process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`);
process.exitCode = total.failed === 0 ? 0 : 1;

async function step(what, program, args) {
  say(`${what} …`);
  const ok = (await run(program, args)) === 0;
  total[ok ? 'passed' : 'failed'] += 1;
  if (!ok) say(`${what} failed.`);
}

async function tests() {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-tests-'));
  const countsFile = join(folder, 'counts.json');
  const reporters = ['--reporter=default', `--reporter=${join(ROOT, 'scripts/test-reporter.mjs')}`];
  const patience = long ? ['--testTimeout=900000', '--hookTimeout=900000'] : [];
  const code = await run(bin('vitest'), ['run', ...reporters, ...patience, ...filters], {
    ...env,
    GATEHOUSE_TEST_COUNTS: countsFile,
  });
  const counts = readCounts(countsFile);
  rmSync(folder, { recursive: true, force: true });
  if (counts === null) {
    say(`The tests did not run to their end (exit code ${code}).`);
    total.failed += 1;
    return;
  }
  for (const problem of counts.broken) say(`broken: ${problem}`);
  total.passed += counts.passed;
  total.failed += counts.failed + counts.broken.length + countSkipped(counts.skipped);
  // vitest has reasons of its own to fail, such as finding no test at all.
  if (code !== 0 && total.failed === 0) total.failed = 1;
}

/** Skipped with a reason is said; without one, or where CI=true promises that nothing is missing, it counts as failed. */
function countSkipped(skipped) {
  const strict = process.env.CI === 'true';
  for (const { name, reason } of skipped) say(`skipped: ${name} (${reason ?? 'NO REASON GIVEN'})`);
  return skipped.filter(({ reason }) => strict || !reason).length;
}

function readCounts(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
}

function run(program, args, runEnv = env) {
  return new Promise((done) => {
    const child = spawn(program, args, {
      cwd: ROOT,
      env: runEnv,
      stdio: ['ignore', 'inherit', 'inherit'],
      shell: process.platform === 'win32',
    });
    current = child;
    child.on('error', (error) => {
      say(error.message);
      done(1);
    });
    child.on('exit', (code) => done(code ?? 1));
  });
}
