import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ROOT } from '../node24.mjs';

export const RUNNER = join(ROOT, 'node_modules/@modelcontextprotocol/conformance');
export const REVISIONS = ['2025-11-25', '2026-07-28'];
export const EXPECTED_FILE = join(ROOT, 'test/conformance/expected-failures.yml');

/**
 * The scenarios of a revision for a `server` or a `client`, as the runner ships them: those it requires, and those it runs
 * and never scores (extensions, scenarios added later or not settled yet).
 */
export function scenariosOf(revision, side) {
  const set = parse(readFileSync(join(RUNNER, 'requirements', `${revision}.yaml`), 'utf8'));
  const unscored = set.not_scored.filter(({ leg }) => leg === side).map(({ scenario }) => scenario);
  return { required: set[side], unscored };
}

/** Names of client scenarios that may fail for now: sign-in at upstreams, and nothing else. */
export function expectedFailures() {
  const { client, ...others } = parse(readFileSync(EXPECTED_FILE, 'utf8')) ?? {};
  const names = client ?? [];
  const wrong = [...Object.keys(others), ...names.filter((name) => !/^auth\/[a-z0-9-]+$/.test(name))];
  if (wrong.length > 0) {
    throw new Error(
      `expected-failures.yml may name scenarios auth/… of the client only, and it has: ${wrong.join(', ')}`,
    );
  }
  return new Set(names);
}
