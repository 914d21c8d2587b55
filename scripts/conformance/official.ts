import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Row, SetResult } from './report.ts';
import { type Revision, type Side, scenariosOf } from './sets.ts';

export interface SetToRun {
  readonly revision: Revision;
  readonly side: Side;
  /** `--url …` or `--command …`. */
  readonly target: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

export interface Official {
  /** The folder of the runner's package. */
  readonly runner: string;
  /** Where the runner writes. */
  readonly results: string;
}

/** Runs one required set with the official runner and reads back what it wrote: a row per scenario. */
export async function runSet({ revision, side, target, env }: SetToRun, official: Official): Promise<SetResult> {
  const { runner, results } = official;
  const out = join(results, `${side}-${revision}`);
  mkdirSync(out, { recursive: true });
  const set = ['--requirements', revision, '--timeout', String(SCENARIO_MS)];
  const code = await run([join(runner, 'dist/index.js'), side, ...target, ...set, '-o', out], env);
  const { required, unscored } = scenariosOf(runner, revision, side);
  const rows = [
    ...required.map((scenario) => ({ ...readResult(scenario, side, out), required: true })),
    ...unscored.map((scenario) => ({ ...readResult(scenario, side, out), required: false })),
  ];
  return { revision, side, code, rows };
}

/** All scenarios of a client set run at once, and each sets Gatehouse up by commands: the last one waits for its turn. */
const SCENARIO_MS = 180_000;

function readResult(scenario: string, side: Side, out: string): Omit<Row, 'required'> {
  const folder = findFolder(scenario, side, out);
  if (folder === null || !existsSync(join(folder, 'checks.json'))) {
    return { scenario, passed: 0, problems: ['the runner wrote no result'] };
  }
  const checks = checksSchema.parse(JSON.parse(readFileSync(join(folder, 'checks.json'), 'utf8')));
  // A warning is of a SHOULD: it counts here as well.
  const failed = checks.filter(({ status }) => status === 'FAILURE' || status === 'WARNING');
  const problems = failed.map(
    ({ id, errorMessage, details, description }) => `${id}: ${errorMessage ?? details?.message ?? description ?? ''}`,
  );
  const passed = checks.filter(({ status }) => status === 'SUCCESS').length;
  if (passed === 0 && problems.length === 0) problems.push('no check was made');
  // The mock cannot see what came back to the client, nor why it was refused.
  const driven = side === 'client' ? problemOfHarness(folder) : null;
  return { scenario, passed, problems: driven === null ? problems : [...problems, `our client: ${driven}`] };
}

/** Our client says at its end in one line of JSON what went wrong. */
function problemOfHarness(folder: string): string | null {
  const last = readFileSync(join(folder, 'stdout.txt'), 'utf8').trim().split('\n').at(-1) ?? '';
  return last === '' ? 'it ended before it could say anything' : harnessSchema.parse(JSON.parse(last)).problem;
}

/** A folder is named for its scenario and the time. The name of a scenario may hold a slash: then there are two folders. */
function findFolder(scenario: string, side: Side, out: string): string | null {
  const parts = (side === 'server' ? `server-${scenario}` : scenario).split('/');
  const within = join(out, ...parts.slice(0, -1));
  if (!existsSync(within)) return null;
  const start = `${parts.at(-1)}-`;
  const found = readdirSync(within).find((name) => name.startsWith(start) && TIME.test(name.slice(start.length)));
  return found === undefined ? null : join(within, found);
}

const TIME = /^\d{4}-\d\d-\d\dT/;

/** What it prints itself is left out: standard output is for our report, which says the same. */
function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { env, stdio: 'ignore' });
    child.on('error', () => resolve(-1));
    child.on('exit', (code) => resolve(code ?? -1));
  });
}

const checksSchema = z.array(
  z.looseObject({
    id: z.string(),
    status: z.string(),
    description: z.string().optional(),
    errorMessage: z.string().optional(),
    details: z.looseObject({ message: z.string().optional() }).optional(),
  }),
);
const harnessSchema = z.object({ problem: z.string().nullable() });
