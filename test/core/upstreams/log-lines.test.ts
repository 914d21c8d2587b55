import { expect, test } from 'vitest';
import { createLogLines } from '../../../electron/core/upstreams/log-lines.ts';

const SECRET = 'gh-"ä/+ ~secret';

test.each([
  ['as it is', SECRET],
  ['as JSON', JSON.stringify({ token: SECRET })],
  ['in an address', `https://x.example/?token=${encodeURIComponent(SECRET)}`],
  ['in base64', `Basic ${Buffer.from(SECRET).toString('base64')}`],
  ['in base64url', Buffer.from(SECRET).toString('base64url')],
  ['in base64 behind a name', Buffer.from(`user:${SECRET}`).toString('base64')],
  ['in hex', Buffer.from(SECRET).toString('hex').toUpperCase()],
])('a secret that a program prints %s is not shown', (_how, text) => {
  const lines = createLogLines([SECRET]);
  lines.write(`before ${text} after\n`);
  expect(lines.all()[0]).toContain('•••');
  expect(lines.all()[0]).toMatch(/^before .* after$/);
  expect(JSON.stringify(lines.all())).not.toMatch(/secret|c2VjcmV0|736563726574/i);
});

test('a secret on a line that has no end yet is not shown either', () => {
  const lines = createLogLines([SECRET]);
  lines.write(`token ${SECRET}`);
  expect(lines.all()).toEqual(['token •••']);
  lines.write(' and more\n');
  expect(lines.all()).toEqual(['token ••• and more']);
});

test('what has been written of a secret so far is not shown', () => {
  const lines = createLogLines([SECRET]);
  lines.write(`token ${SECRET.slice(0, -3)}`);
  expect(lines.all()).toEqual(['token •••']);
  lines.write(`${SECRET.slice(-3)}\n`);
  expect(lines.all()).toEqual(['token •••']);
});

test('a secret of several lines is not shown line by line', () => {
  const key = '-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----\n';
  const lines = createLogLines([key]);
  lines.write(`key:\n${key}done\n`);
  expect(lines.all()).toEqual(['key:', '•••', '•••', '•••', '•••', 'done']);
});

test.each([1, 7, 500, 1_995, 1_999, 2_001])(
  'an endless line cut anywhere shows no part of a secret (%i before it)',
  (before) => {
    const lines = createLogLines([SECRET]);
    const text = `${'x'.repeat(before)}${SECRET}${'y'.repeat(5_000)}`;
    for (let at = 0; at < text.length; at += 3) lines.write(text.slice(at, at + 3));
    const shown = lines.all().join('');
    // A piece that is cut short may lose the dots.
    expect(shown).toMatch(/^x+•{0,3}y+$/);
  },
);

test('a short value is no secret that could be told from ordinary text', () => {
  const lines = createLogLines(['abc']);
  lines.write('abc def\n');
  expect(lines.all()).toEqual(['abc def']);
});

test('of two secrets of which one is part of the other nothing is left', () => {
  const lines = createLogLines(['secret', 'secret-and-more']);
  lines.write('secret-and-more secret\n');
  expect(lines.all()).toEqual(['••• •••']);
});
