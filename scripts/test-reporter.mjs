import { writeFileSync } from 'node:fs';

/**
 * Counts for `npm test`, written as JSON to the file GATEHOUSE_TEST_COUNTS names. vitest's own JSON leaves out why a
 * test was skipped, and a test that is skipped without a reason must not pass for one that ran.
 */
export default class CountingReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const counts = { passed: 0, failed: 0, skipped: [], broken: [] };
    for (const module of modules) {
      for (const error of module.errors()) counts.broken.push(`${module.moduleId}: ${error.message}`);
      for (const suite of module.children.allSuites()) {
        for (const error of suite.errors()) counts.broken.push(`${suite.fullName}: ${error.message}`);
      }
      for (const test of module.children.allTests()) count(test, counts);
    }
    for (const error of unhandledErrors) counts.broken.push(`unhandled: ${error.message}`);
    const file = process.env.GATEHOUSE_TEST_COUNTS;
    if (file) writeFileSync(file, JSON.stringify(counts));
  }
}

function count(test, counts) {
  const result = test.result();
  if (result.state === 'passed') counts.passed += 1;
  else if (result.state === 'skipped')
    counts.skipped.push({ name: test.fullName, reason: result.note ?? needs(test.fullName) });
  else counts.failed += 1;
}

/** A whole group that is skipped says what it needs in its title: `(needs gnome-keyring)`. */
function needs(title) {
  return /\((needs [^)]+)\)/.exec(title)?.[1] ?? null;
}
