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

const names = z.array(z.string());
const requirementsSchema = z.object({
  server: names,
  client: names,
  not_scored: z.array(z.looseObject({ scenario: z.string(), leg: z.string() })),
});
