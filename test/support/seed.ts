import fc from 'fast-check';

/**
 * `npm test` tries the same random cases every time, so that it fails for what was changed and for nothing else;
 * `npm run test:long` tries others at each run.
 */
export function sameCasesEveryTime(): void {
  if (process.env.GATEHOUSE_TEST_LONG !== '1') fc.configureGlobal({ seed: 20_261_120 });
}
