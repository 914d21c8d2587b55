import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

export type Revision = '2025-11-25' | '2026-07-28';
export type Side = 'server' | 'client';

export const REVISIONS: readonly Revision[] = ['2025-11-25', '2026-07-28'];

/**
 * The scenarios of a revision for a server or a client, as the runner's package ships them: those it requires, and those
 * it runs and never scores (extensions, scenarios added later or not settled yet).
 */
export function scenariosOf(
  runner: string,
  revision: Revision,
  side: Side,
): { readonly required: readonly string[]; readonly unscored: readonly string[] } {
  const text = readFileSync(join(runner, 'requirements', `${revision}.yaml`), 'utf8');
  const { not_scored, ...required } = requirementsSchema.parse(parse(text));
  const unscored = not_scored.filter(({ leg }) => leg === side).map(({ scenario }) => scenario);
  return { required: required[side], unscored };
}

/** Names of client scenarios that may fail for now: sign-in at upstreams, and nothing else. Throws what is wrong. */
export function expectedFailures(file: string): ReadonlySet<string> {
  const { client, ...others } = expectedSchema.parse(parse(readFileSync(file, 'utf8')));
  const wrong = [...Object.keys(others), ...client.filter((name) => !/^auth\/[a-z0-9-]+$/.test(name))];
  if (wrong.length === 0) return new Set(client);
  throw new Error(`${file} may name scenarios auth/… of the client only, and it has: ${wrong.join(', ')}`);
}

const names = z.array(z.string());
const requirementsSchema = z.object({
  server: names,
  client: names,
  not_scored: z.array(z.looseObject({ scenario: z.string(), leg: z.string() })),
});
const expectedSchema = z.looseObject({ client: names });
