import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { renderErrorsPage } from '../scripts/errors-page.ts';
import { ERRORS } from '../shared/errors.ts';

test('docs/errors.md says what shared/errors.ts says (else: npm run docs:errors)', () => {
  const written = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8');
  expect(written).toBe(renderErrorsPage(ERRORS));
});

test('every class has its own section in docs/errors.md with its code and its remedy', () => {
  const page = renderErrorsPage(ERRORS);
  for (const [name, { code, fix }] of Object.entries(ERRORS)) {
    const section = page.split(`\n## ${name}\n`)[1]?.split('\n## ')[0];
    expect(section).toContain(`**Code:** ${code}`);
    expect(section).toContain(fix);
  }
});
