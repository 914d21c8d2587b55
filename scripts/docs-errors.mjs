import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, underNode24 } from './node24.mjs';
import { say } from './progress.mjs';

/* `npm run docs:errors`: writes docs/errors.md from shared/errors.ts; test/errors-docs.test.ts sees when they part ways. */
await underNode24();
const { ERRORS } = await import('../shared/errors.ts');
const { renderErrorsPage } = await import('./errors-page.ts');
mkdirSync(join(ROOT, 'docs'), { recursive: true });
writeFileSync(join(ROOT, 'docs/errors.md'), renderErrorsPage(ERRORS));
say('docs/errors.md is written.');
