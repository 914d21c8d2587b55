import type { Policy, PolicyFinding } from '../../../shared/model.ts';
import { type KnownNames, warningsOf } from './warnings.ts';
import { readPolicy } from './yaml.ts';

export interface LintedPolicy {
  /** Null where there are errors. */
  readonly policy: Policy | null;
  /** In the order of the text. */
  readonly findings: readonly PolicyFinding[];
}

/**
 * Everything that is wrong with the text of a policy, and where it is none, everything that is probably not meant.
 *
 * @param known what there is to match; null: nothing is known, and no name is doubted.
 */
export function lintPolicy(yaml: string, known: KnownNames | null): LintedPolicy {
  const read = readPolicy(yaml);
  if (read.kind === 'faulty') {
    const findings = read.faults.map(({ onKey: _onKey, ...fault }) => ({ severity: 'error' as const, ...fault }));
    return { policy: null, findings };
  }
  const { policy, place } = read;
  const findings = warningsOf(policy, known)
    .map((warning) => ({ severity: 'warning' as const, message: warning.message, ...place(warning) }))
    .toSorted((a, b) => a.line - b.line || a.column - b.column);
  return { policy, findings };
}
