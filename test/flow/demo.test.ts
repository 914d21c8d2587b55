import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

test('the demo shows every step: real servers, a real client, a real mouse, one kill -9', { timeout: 240_000 }, () => {
  const run = spawnSync(process.execPath, ['scripts/demo.mjs'], { encoding: 'utf8', timeout: 230_000 });
  expect(run.stderr).not.toContain('did not show');
  expect(run.stdout).toContain('15 steps shown.');
  expect(run.status).toBe(0);
  for (const claim of [
    'legacy client: five tools listed: find_tools, call_external_tool, pin_tool, unpin_tool, list_pinned_tools.',
    'modern client: five tools listed',
    'ranks files / read_text_file first (allow)',
    'A write waited, was approved with the mouse, and is on the disk.',
    'answered approval_denied, and did not happen.',
    'redeemed by its retry, once',
    'A wrong key gets 401',
    'files / write_file  require_approval  (default effect)  refused  approval_denied',
    'demo / slow_count  allow  read-tools-run  interrupted',
  ]) {
    expect(run.stdout + run.stderr).toContain(claim);
  }
});
