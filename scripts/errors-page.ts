import type { ErrorEntry } from '../shared/errors.ts';

/** `docs/errors.md` from the catalogue: one entry each. */
export function renderErrorsPage(errors: Readonly<Record<string, ErrorEntry>>): string {
  const entries = Object.entries(errors);
  const index = entries.map(([name, { code, what }]) => `| [\`${name}\`](#${name}) | ${code} | ${what} |`);
  return [
    '# Errors',
    '',
    'Every error that Gatehouse itself answers with. Generated from `shared/errors.ts` by `npm run docs:errors`; do not edit.',
    '',
    'A tool result with `isError: true` carries the code in `_meta["gatehouse/code"]`, the class in `["gatehouse/class"]`, the',
    'request id, the rule, whether it may be tried again, and a link in the members beside them. An error of an upstream itself',
    'is relayed unchanged.',
    '',
    '| class | code | what happened |',
    '|---|---|---|',
    ...index,
    '',
    ...entries.flatMap(([name, entry]) => section(name, entry)),
  ].join('\n');
}

function section(name: string, entry: ErrorEntry): string[] {
  const page = entry.page === null ? 'none' : `\`/open/${entry.page}\``;
  return [
    `## ${name}`,
    '',
    entry.what,
    '',
    `- **Code:** ${entry.code}`,
    `- **Form:** ${entry.form}`,
    `- **Why:** ${entry.why}`,
    `- **What to do:** ${entry.fix}`,
    `- **Page that mends it:** ${page}`,
    `- **The same call may succeed later:** ${entry.retryable ? 'yes' : 'no'}`,
    '',
  ];
}
