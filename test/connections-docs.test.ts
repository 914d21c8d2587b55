import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { COMMANDS } from '../electron/cli/main.ts';
import { findCommand, parseCommand } from '../electron/cli/parse.ts';
import { PRESETS } from '../electron/core/connections/presets.ts';

const root = new URL('../', import.meta.url);
const page = readFileSync(new URL('docs/connections.md', root), 'utf8');
const commands = [...page.matchAll(/^ {4}gatehouse (.+)$/gm)].map(([, line]) => line ?? '');

test('the page of connections has commands to try', () => expect(commands.length).toBeGreaterThan(20));

test.each(commands)('gatehouse %s is a command with these options', (line) => {
  const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');
  const found = findCommand(COMMANDS, words);
  if (found.kind !== 'found') throw new Error(JSON.stringify(found));
  expect(parseCommand(found.command, found.rest)).not.toHaveProperty('message');
});

test('every code of a sign-in that fails is explained, and no other', () => {
  const source = readFileSync(new URL('shared/connections.ts', root), 'utf8');
  const union = /export type SignInCode =([\s\S]*?);/.exec(source)?.[1] ?? '';
  const codes = [...union.matchAll(/'(\w+)'/g)].map(([, code]) => code);
  const explained = [...page.matchAll(/^\| `(\w+)` \|/gm)].map(([, code]) => code);
  expect(codes.length).toBeGreaterThan(20);
  expect(explained.toSorted()).toEqual(codes.toSorted());
});

test('every vendor that is known is named', () => {
  const text = page.replaceAll('\n', ' ');
  expect(text).toContain(`${PRESETS.map(({ name }) => name).join(', ')}.`);
});
