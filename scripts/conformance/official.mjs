import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { environment } from '../node24.mjs';
import { EXPECTED_FILE, RUNNER, scenariosOf } from './sets.mjs';

/**
 * Runs one required set with the official runner and reads back what it wrote. Returns the runner's exit code and a row per
 * scenario: {scenario, required, passed, problems (texts)}.
 */
export async function runSet({ revision, side, target, folder, env = {} }) {
  const out = join(folder, `${side}-${revision}`);
  mkdirSync(out, { recursive: true });
  const args = [side, ...target, '--requirements', revision, '--expected-failures', EXPECTED_FILE, '-o', out];
  const code = await run([join(RUNNER, 'dist/index.js'), ...args, '--timeout', String(SCENARIO_MS)], env);
  const { required, unscored } = scenariosOf(revision, side);
  const rows = [
    ...required.map((scenario) => ({ ...readResult(scenario, side, out), required: true })),
    ...unscored.map((scenario) => ({ ...readResult(scenario, side, out), required: false })),
  ];
  return { revision, side, code, rows };
}

/** All scenarios of a client set run at once, and each sets Gatehouse up by commands: the last one waits for its turn. */
const SCENARIO_MS = 180_000;

function readResult(scenario, side, out) {
  const folder = findFolder(scenario, side, out);
  if (folder === null || !existsSync(join(folder, 'checks.json'))) {
    return { scenario, passed: 0, problems: ['the runner wrote no result'] };
  }
  const checks = JSON.parse(readFileSync(join(folder, 'checks.json'), 'utf8'));
  const failed = checks.filter(({ status }) => status === 'FAILURE' || status === 'WARNING');
  const problems = failed.map(
    (check) => `${check.id}: ${check.errorMessage ?? check.details?.message ?? check.description}`,
  );
  const passed = checks.filter(({ status }) => status === 'SUCCESS').length;
  if (passed === 0 && problems.length === 0) problems.push('no check was made');
  // The mock cannot see what came back to the client. Where it must refuse to sign in, nothing may come back.
  const driven = side === 'client' && !scenario.startsWith('auth/') ? problemOfHarness(folder) : null;
  return { scenario, passed, problems: driven === null ? problems : [...problems, `our client: ${driven}`] };
}

/** Our client says at its end in one line of JSON what went wrong. */
function problemOfHarness(folder) {
  const last = readFileSync(join(folder, 'stdout.txt'), 'utf8').trim().split('\n').at(-1);
  return last === '' ? 'it ended before it could say anything' : JSON.parse(last).problem;
}

/** A folder is named for its scenario and the time. The name of a scenario may hold a slash: then there are two folders. */
function findFolder(scenario, side, out) {
  const parts = (side === 'server' ? `server-${scenario}` : scenario).split('/');
  const within = join(out, ...parts.slice(0, -1));
  if (!existsSync(within)) return null;
  const start = `${parts.at(-1)}-`;
  const found = readdirSync(within).find((name) => name.startsWith(start) && TIME.test(name.slice(start.length)));
  return found === undefined ? null : join(within, found);
}

const TIME = /^\d{4}-\d\d-\d\dT/;

/** Its own report goes where progress goes: standard output is for ours. */
function run(args, env) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, {
      env: { ...environment(), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.resume();
    child.stderr.resume();
    child.on('error', () => resolve(-1));
    child.on('exit', (code) => resolve(code ?? -1));
  });
}
