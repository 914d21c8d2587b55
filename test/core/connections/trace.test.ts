import { expect, test } from 'vitest';
import { fault } from '../../../electron/core/connections/faults.ts';
import { createTrace, shownUrl } from '../../../electron/core/connections/trace.ts';
import { FAKE_START, fakeClock } from '../../support/fake-clock.ts';

test('a secret is in no step, also where it was told before it was known to be one', () => {
  const trace = createTrace(fakeClock());
  const secret = 'canary "+/= secret';
  trace.step({
    name: 'token',
    outcome: 'failed',
    message: `it said ${secret}`,
    request: { method: 'POST', url: `https://as.test/${encodeURIComponent(secret)}` },
    read: [`echo: ${JSON.stringify(secret)}`],
  });
  expect(JSON.stringify(trace.steps())).toContain('canary');
  trace.hide(secret);
  trace.step({ name: 'token', outcome: 'failed', message: secret });
  expect(JSON.stringify(trace.steps())).not.toContain('canary');
  expect(trace.steps()[0]).toMatchObject({ at: FAKE_START, message: 'it said …' });
});

test('text of a server is one bounded line without what is not drawn', () => {
  const trace = createTrace(fakeClock());
  trace.step({
    name: 'server_metadata',
    outcome: 'ok',
    message: `a\u202eb\r\nc\u200bd${'x'.repeat(1_000_000)}`,
    read: Array.from({ length: 1000 }, () => 'y'.repeat(100_000)),
  });
  const [step] = trace.steps();
  expect(step?.message).toMatch(/^a b c dx+…$/);
  expect(JSON.stringify(step).length).toBeLessThan(10_000);
});

test('of a flood the first and the last steps are kept', () => {
  const trace = createTrace(fakeClock());
  for (let count = 0; count < 10_000; count += 1) trace.step({ name: 'check', outcome: 'ok', message: `${count}` });
  const messages = trace.steps().map(({ message }) => message);
  expect(messages).toHaveLength(64);
  expect([messages[0], messages.at(-1)]).toEqual(['0', '9999']);
});

test('whoever watches is told of each step', () => {
  let told = 0;
  const trace = createTrace(fakeClock(), () => {
    told += 1;
  });
  trace.step({ name: 'check', outcome: 'ok', message: 'x' });
  expect(told).toBe(1);
});

test.each([
  [
    'https://as.test/authorize?client_id=me&state=S&code_challenge=C&scope=a%20b&resource=https%3A%2F%2Fm.test%2Fmcp',
    'https://as.test/authorize?client_id=me&state=…&code_challenge=…&scope=a%20b&resource=https%3A%2F%2Fm.test%2Fmcp',
  ],
  [
    'http://127.0.0.1:1/callback?code=C&state=S&iss=https%3A%2F%2Fas.test',
    'http://127.0.0.1:1/callback?code=…&state=…&iss=https%3A%2F%2Fas.test',
  ],
  ['https://me:pass@as.test/x#token=y', 'https://as.test/x'],
  ['https://mcp.test/mcp?api_key=K', 'https://mcp.test/mcp?api_key=…'],
])('%s is shown as %s', (address, shown) => expect(shownUrl(address)).toBe(shown));

test('the three of the seed begin as it says them', () => {
  const about = { upstream: 'Linear', where: 'as.test', said: 'invalid_redirect_uri: not that one' };
  expect(fault('no_registration_endpoint', about).message).toMatch(
    /^MCP OAuth setup failed for Linear: no_registration_endpoint\b/,
  );
  expect(fault('dynamic_registration_failed', about).message).toBe(
    'MCP OAuth setup failed for Linear: dynamic_registration_failed: invalid_redirect_uri: not that one',
  );
  expect(fault('no_protected_resource_metadata', about).message).toMatch(
    /^MCP OAuth setup failed for Linear: no_protected_resource_metadata\b/,
  );
});

test("a vendor's words in a sentence are one bounded line", () => {
  const said = `no\n\u202e${'x'.repeat(100_000)}`;
  expect(fault('access_denied', { upstream: 'U', where: 'as.test', said }).message.length).toBeLessThan(500);
  expect(fault('access_denied', { upstream: 'U', where: 'as.test', said }).message).not.toMatch(/[\n\u202e]/);
});
