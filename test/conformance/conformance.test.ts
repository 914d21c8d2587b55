import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const SCRIPT = fileURLToPath(new URL('../../scripts/conformance.mjs', import.meta.url));

test('every required check of the official conformance sets of both revisions passes through Gatehouse', {
  timeout: 600_000,
}, async () => {
  const child = spawn(process.execPath, [SCRIPT], { stdio: ['ignore', 'pipe', 'inherit'] });
  const report = await text(child.stdout);
  const wrong = report.split('\n').filter((line) => /^ {2}- |^ {6}/.test(line));
  expect(wrong).toEqual([]);
  expect(report.trimEnd().split('\n').at(-1)).toMatch(/^[1-9]\d{2,} passed, 0 failed$/);
});
