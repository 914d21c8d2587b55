import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { MAX_STORED, redactArguments } from '../../../electron/core/audit/redact.ts';

const redacted = (value: unknown) => redactArguments(JSON.stringify(value)).redacted;
const parsed = (value: unknown) => JSON.parse(redacted(value));

test('N5 the vector: values under secret keys are masked, the digest is of the exact text', () => {
  const text = '{"password":"CANARY","token":"CANARY2","Authorization":"Bearer CANARY3"}';
  const answer = redactArguments(text);
  expect(answer.redacted).toBe('{"password":"[redacted]","token":"[redacted]","Authorization":"[redacted]"}');
  expect(answer.redacted).not.toContain('CANARY');
  expect(answer.sha256).toBe(createHash('sha256').update(text).digest('hex'));
  expect(answer).toMatchObject({ bytes: text.length, truncated: false });
});

test.each([
  'password',
  'PASSWD',
  'api_key',
  'apiKey',
  'API-Key',
  'x-api-key',
  'client_secret',
  'refreshToken',
  'Set-Cookie',
  'private_key',
  'aws.secret.access.key',
  'userCredentials',
  'auth',
  '\\u0070assword',
])('a value under %s is masked, whatever it is', (key) => {
  for (const value of ['"CANARY"', '{"deep":["CANARY"]}', '["CANARY","]}"]', '12345678']) {
    const { redacted: out } = redactArguments(`{"${key}" : ${value}, "after": [1, "kept"]}`);
    expect(out).toBe(`{"${key}" : "[redacted]", "after": [1, "kept"]}`);
  }
});

test.each([
  ['Bearer abcdef123456', 'Bearer [redacted]'],
  ['curl -H "Authorization: Bearer abc.def-ghi"', 'curl -H "Authorization: [redacted] [redacted]"'],
  ['key is sk-ant-api03-abcdefghijklmnop ok', 'key is [redacted] ok'],
  ['sk_live_abcdefghijklmnopqrst', '[redacted]'],
  ['ghp_abcdefghijklmnopqrstuvwxyz0123456789', '[redacted]'],
  ['github_pat_11ABCDEFG0abcdefghijklmnop', '[redacted]'],
  ['eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U', '[redacted]'],
  ['AKIAIOSFODNN7EXAMPLE', '[redacted]'],
  ['xoxb-123456789012-abcdef', '[redacted]'],
  ['-----BEGIN OPENSSH PRIVATE KEY-----\nabc\ndef\n-----END OPENSSH PRIVATE KEY-----\nrest', '[redacted]\nrest'],
  ['-----BEGIN PRIVATE KEY-----\nnever ends', '[redacted]'],
  ['postgres://user:hunter22@db/x', 'postgres://user:[redacted]@db/x'],
  ['mysql --password hunter22 -u x', 'mysql --password [redacted] -u x'],
  ['https://x/?access_token=abcdef&y=1', 'https://x/?access_token=[redacted]&y=1'],
  ['{"password":"CANARY","n":1}', '{"password":"[redacted]","n":1}'],
])('text that looks like a secret is masked where it stands: %s', (text, expected) => {
  expect(parsed({ text })).toEqual({ text: expected });
  expect(parsed({ list: [[text]] })).toEqual({ list: [[expected]] });
  expect(parsed({ [text]: 1 })).toEqual({ [expected]: expect.anything() });
});

test('a secret written with escapes is found all the same', () => {
  expect(redactArguments('{"x":"gh\\u0070_abcdefghijklmnopqrstuvwxyz"}').redacted).toBe('{"x":"[redacted]"}');
});

test('what is not secret stays exactly as it was written: digits, escapes, spaces, order', () => {
  const text =
    '{ "b":9007199254740993,\n "a" : [1.0, -0, 1e400, "\\u00e9\\/", null], "max_tokens": 100, "monkey":"banana", "author":"x"}';
  expect(redactArguments(text).redacted).toBe(text);
});

test('null, true and false under a secret key say nothing and are kept', () => {
  expect(parsed({ password: null, token: true, cookie: false })).toEqual({
    password: null,
    token: true,
    cookie: false,
  });
});

test('O20 large arguments are cut, with length and digest of the whole', () => {
  const text = JSON.stringify({ text: 'é'.repeat(1_500_000) });
  const answer = redactArguments(text);
  expect(answer.truncated).toBe(true);
  expect(Buffer.byteLength(answer.redacted)).toBeLessThanOrEqual(MAX_STORED);
  expect(Buffer.byteLength(answer.redacted)).toBeGreaterThan(MAX_STORED - 4);
  expect(answer.redacted.isWellFormed()).toBe(true);
  expect(answer.bytes).toBe(Buffer.byteLength(text));
  expect(answer.sha256).toBe(createHash('sha256').update(text).digest('hex'));
});

test('a secret across the cut is not half stored', () => {
  const secret = `ghp_${'a'.repeat(36)}`;
  for (let before = MAX_STORED - 60; before < MAX_STORED; before += 7) {
    const { redacted: out } = redactArguments(JSON.stringify({ text: `${'x'.repeat(before)} ${secret}` }));
    expect(out).not.toContain('ghp_a');
  }
});

test('arguments that are no JSON are masked as text', () => {
  expect(redactArguments('Bearer abcdef123').redacted).toBe('Bearer [redacted]');
  expect(redactArguments('{"password":"CAN').redacted).not.toContain('CAN');
  expect(redactArguments('').redacted).toBe('');
});

test('P22 hostile arguments of 3 MB take no noticeable time', () => {
  const hostile = [
    '"'.repeat(3_000_000),
    `{"a":"${'\\\\'.repeat(1_500_000)}"}`,
    `{"a":"${'Bearer '.repeat(400_000)}"}`,
    `{"a":"${'-----BEGIN PRIVATE KEY-----'.repeat(100_000)}"}`,
    `{"a":"${'password '.repeat(300_000)}"}`,
    `{"a":"${'eyJaaaaaaaa.'.repeat(250_000)}"}`,
    `{"a":"${'sk-'.repeat(1_000_000)}"}`,
    `{"a":"${'://a:'.repeat(600_000)}"}`,
    `{"a":"--token${' '.repeat(3_000_000)}"}`,
    `{"a":"${'Basic a'.repeat(400_000)}"}`,
    `{"a":"Basic ${'a'.repeat(3_000_000)}"}`,
    `${'['.repeat(1_000_000)}`,
    `{"password":${'['.repeat(3_000_000)}`,
  ];
  for (const text of hostile) {
    // Time of the processor, not of the clock: the machine may be busy with something else.
    const before = process.cpuUsage();
    redactArguments(text);
    const { user, system } = process.cpuUsage(before);
    expect([text.slice(0, 30), (user + system) / 1_000 < 200]).toEqual([text.slice(0, 30), true]);
  }
});
