import { describe, expect, test } from 'vitest';
import { helpOf, listOf } from '../../electron/cli/help.ts';
import { COMMANDS, isCommandLine } from '../../electron/cli/main.ts';
import { findCommand, parseCommand } from '../../electron/cli/parse.ts';

/** What is said about a command line that does not get as far as running. */
function fault(...argv: string[]): string {
  const found = findCommand(COMMANDS, argv);
  if (found.kind !== 'found') return found.kind === 'fault' ? found.message : `group ${found.group}`;
  const parsed = parseCommand(found.command, found.rest);
  return parsed.kind === 'fault' ? parsed.message : 'no fault';
}

describe('a slip of the finger', () => {
  test.each([
    [['keyz', 'list'], "There is no command 'keyz'. Did you mean keys?"],
    [['statsu'], "There is no command 'statsu'. Did you mean status?"],
    [['upstr', 'list'], "There is no command 'upstr'. Did you mean upstreams?"],
    [['keys', 'lsit'], "There is no command 'keys lsit'. Did you mean keys list?"],
    [['keys', 'create', '--nmae', 'x'], "There is no option '--nmae'. Did you mean --name?"],
    [['start', '--headles'], "There is no option '--headles'. Did you mean --headless?"],
    [['--verison'], "There is no option '--verison'. Did you mean --version?"],
    [['xyzzy'], "There is no command 'xyzzy'."],
  ])('%j is answered with the nearest match', (argv, message) => {
    expect(fault(...argv)).toBe(message);
  });

  test.each([
    [['keys', 'create', '--name', '--role', 'admin'], '--name needs a value: --name NAME.'],
    [['keys', 'create', '--name'], '--name needs a value: --name NAME.'],
    [['keys', 'list', '--json=yes'], '--json takes no value.'],
    [['start', '--port', '1', '--port', '2'], '--port may be given once only.'],
    [['keys', 'revoke'], "'keys revoke' needs key. See: gatehouse keys revoke --help"],
    [['keys', 'revoke', 'a', 'b'], "'keys revoke' does not know what to do with 'b'."],
    [['status', '--', 'x'], "'status' does not know what to do with 'x'."],
    [
      ['upstreams', 'add', 'files', 'npx', 'server'],
      "'upstreams add' does not know what to do with 'npx'. Put -- before the command: gatehouse upstreams add … -- npx …",
    ],
  ])('%j says what is wrong with it', (argv, message) => {
    expect(fault(...argv)).toBe(message);
  });
});

describe('a command line', () => {
  test('keeps everything after -- as it was typed', () => {
    const found = findCommand(COMMANDS, [
      'upstreams',
      'add',
      'x',
      '--tag',
      'a',
      '--',
      'npx',
      '-y',
      'server',
      '--',
      '--tag',
      'b',
    ]);
    if (found.kind !== 'found') throw new Error(found.kind);
    const parsed = parseCommand(found.command, found.rest);
    expect(parsed).toMatchObject({ words: ['x'], rest: ['npx', '-y', 'server', '--', '--tag', 'b'] });
    expect(parsed.kind === 'parsed' && parsed.texts('tag')).toEqual(['a']);
  });

  test('takes a value that begins with a dash when it is written with =', () => {
    expect(fault('keys', 'create', '--name=-x')).toBe('no fault');
  });

  test('is known by its first word, so that an installed app shows no window for it', () => {
    expect(isCommandLine(['keys', 'list'])).toBe(true);
    expect(isCommandLine(['--help'])).toBe(true);
    expect(isCommandLine(['--hidden'])).toBe(false);
    expect(isCommandLine(['gatehouse://open/tools'])).toBe(false);
    expect(isCommandLine([])).toBe(false);
  });
});

describe('help', () => {
  test('names every command, and every command describes each of its options', () => {
    const list = listOf(COMMANDS, null);
    for (const command of COMMANDS) {
      expect(list).toContain(command.words.join(' '));
      const help = helpOf(command);
      for (const [name, option] of Object.entries(command.options ?? {})) {
        expect(help).toContain(`--${name}`);
        expect(help).toContain(option.help);
      }
    }
  });

  test('no two commands share their words', () => {
    const names = COMMANDS.map((command) => command.words.join(' '));
    expect(new Set(names).size).toBe(names.length);
  });
});
