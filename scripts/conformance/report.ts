import type { Revision, Side } from './sets.ts';

/** What the runner found in one scenario. */
export interface Row {
  readonly scenario: string;
  /** False: the runner reports it and never scores it. */
  readonly required: boolean;
  /** Checks. */
  readonly passed: number;
  readonly problems: readonly string[];
}

export interface SetResult {
  readonly revision: Revision;
  readonly side: Side;
  /** Exit code of the runner. */
  readonly code: number;
  readonly rows: readonly Row[];
}

type Verdict = 'passed' | 'failed' | 'unscored';

export interface Counted {
  readonly name: string;
  readonly rows: readonly (Row & { readonly verdict: Verdict })[];
  /** Checks of the scenarios that count. */
  readonly passed: number;
  readonly failed: number;
  readonly note: string | null;
}

/** Counts the checks of one set. */
export function countSet({ revision, side, code, rows }: SetResult): Counted {
  const counted = rows.map((row) => ({ ...row, verdict: verdictOf(row) }));
  const scored = counted.filter(({ verdict }) => verdict !== 'unscored');
  const passed = scored.reduce((sum, row) => sum + row.passed, 0);
  const failed = scored.reduce((sum, row) => sum + row.problems.length, 0);
  // The runner judges each set too: what it refuses is never good.
  const isRefused = failed === 0 && code !== 0;
  return {
    name: `${side} ${revision}`,
    rows: counted,
    passed,
    failed: isRefused ? 1 : failed,
    note: isRefused ? `the runner ended with exit code ${code}` : null,
  };
}

function verdictOf({ required, problems }: Row): Verdict {
  if (!required) return 'unscored';
  return problems.length === 0 ? 'passed' : 'failed';
}

/** One table: a line per scenario, and under it what is wrong. */
export function tableOf({ name, rows, passed, failed, note }: Counted): string {
  const width = Math.max(...rows.map(({ scenario }) => scenario.length));
  const lines = rows.flatMap(({ scenario, verdict, passed: good, problems }) => [
    `  ${MARKS[verdict]} ${scenario.padEnd(width)}  ${String(good).padStart(3)} passed  ${String(problems.length).padStart(2)} failed${NOTES[verdict]}`,
    ...(verdict === 'failed' ? problems.map((problem) => `      ${problem.replaceAll(/\s+/g, ' ')}`) : []),
  ]);
  return [`${name}: ${passed} passed, ${failed} failed${note === null ? '' : ` (${note})`}`, ...lines].join('\n');
}

const MARKS: Readonly<Record<Verdict, string>> = { passed: '+', failed: '-', unscored: ' ' };
const NOTES: Readonly<Record<Verdict, string>> = {
  passed: '',
  failed: '',
  unscored: '  (not scored)',
};
