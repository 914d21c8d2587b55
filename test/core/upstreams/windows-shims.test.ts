import { describe, expect, test } from 'vitest';
import { resolveCommand, type System } from '../../../electron/core/upstreams/environment.ts';
import { runnable } from '../../../electron/core/upstreams/windows-shims.ts';

/** A Windows with these files. */
const windows = (...files: readonly string[]): System => ({
  platform: 'win32',
  isExecutable: (path) => files.some((file) => file.toLowerCase() === path.toLowerCase()),
});
const PATH = 'C:\\Program Files\\nodejs;C:\\Users\\me\\AppData\\Roaming\\npm;bin';
const NODE = 'C:\\Program Files\\nodejs\\node.exe';
const NPX = 'C:\\Program Files\\nodejs\\npx.cmd';
const SERVER = 'C:\\Users\\me\\AppData\\Roaming\\npm\\mcp-server.cmd';

const ofNode = [
  '@ECHO OFF',
  'SETLOCAL',
  'SET "NODE_EXE=%~dp0\\node.exe"',
  'SET "NPX_CLI_JS=%~dp0\\node_modules\\npm\\bin\\npx-cli.js"',
  '"%NODE_EXE%" "%NPX_CLI_JS%" %*',
].join('\r\n');
const ofPackage = (words = '') =>
  [
    'SET dp0=%~dp0',
    'IF EXIST "%dp0%\\node.exe" (',
    '  SET "_prog=%dp0%\\node.exe"',
    ') ELSE (',
    '  SET "_prog=node"',
    ')',
    `endLocal & "%_prog%" ${words} "%dp0%\\node_modules\\mcp-server\\dist\\index.js" %*`,
  ].join('\r\n');

describe('where a command is found on Windows', () => {
  test('a program is preferred to a script, and the shell script beside it is never taken', () => {
    const npx = NPX.replace('.cmd', '');
    expect(resolveCommand('npx', { PATH }, windows(npx, NPX))).toEqual({ kind: 'found', path: NPX });
    const program = NPX.replace('.cmd', '.exe');
    expect(resolveCommand('npx', { PATH }, windows(npx, NPX, program))).toEqual({ kind: 'found', path: program });
    expect(resolveCommand('npx', { PATH }, windows(npx)).kind).toBe('missing');
  });

  test('with its ending it is taken as it is, and relative folders of PATH are not looked at', () => {
    expect(resolveCommand('npx.cmd', { PATH }, windows(NPX))).toEqual({ kind: 'found', path: NPX });
    expect(resolveCommand('evil', { PATH }, windows('bin\\evil.exe'))).toEqual({
      kind: 'missing',
      message:
        'The command evil was not found (looked in C:\\Program Files\\nodejs, C:\\Users\\me\\AppData\\Roaming\\npm).',
    });
  });
});

describe('a .cmd file is never run: what it calls is', () => {
  test('npx of Node itself', () => {
    expect(runnable(NPX, { PATH }, windows(NPX, NODE), () => ofNode)).toEqual({
      kind: 'runs',
      command: NODE,
      args: ['C:\\Program Files\\nodejs\\node_modules\\npm\\bin\\npx-cli.js'],
    });
  });

  test.each([
    ['', []],
    ['--no-warnings', ['--no-warnings']],
  ])('a program that npm installed, with Node from PATH (%s)', (words, args) => {
    expect(runnable(SERVER, { PATH }, windows(SERVER, NODE), () => ofPackage(words))).toEqual({
      kind: 'runs',
      command: NODE,
      args: [...args, 'C:\\Users\\me\\AppData\\Roaming\\npm\\node_modules\\mcp-server\\dist\\index.js'],
    });
  });

  test('Node beside the file is preferred to another one', () => {
    const beside = 'C:\\Users\\me\\AppData\\Roaming\\npm\\node.exe';
    expect(runnable(SERVER, { PATH }, windows(SERVER, NODE, beside), () => ofPackage())).toMatchObject({
      command: beside,
    });
  });

  test('a program that is called as it is', () => {
    const text = '@"%~dp0\\..\\lib\\server.exe"   %*\r\n';
    expect(runnable(SERVER, { PATH }, windows(SERVER), () => text)).toEqual({
      kind: 'runs',
      command: 'C:\\Users\\me\\AppData\\Roaming\\lib\\server.exe',
      args: [],
    });
  });

  test('one that does anything else is not run, and that is said', () => {
    expect(runnable(SERVER, { PATH }, windows(SERVER), () => 'start calc.exe & %*')).toEqual({
      kind: 'missing',
      message: `${SERVER} is a script for cmd.exe, which reads arguments as commands and is therefore not used. Give the program that the script calls, with its arguments.`,
    });
  });

  test('without Node it is said what is missing', () => {
    expect(runnable(SERVER, { PATH }, windows(SERVER), () => ofPackage())).toMatchObject({
      kind: 'missing',
      message: expect.stringContaining('The command node was not found'),
    });
  });
});

test('elsewhere nothing is read, whatever a file is called', () => {
  const read = () => {
    throw new Error('read');
  };
  const system: System = { platform: 'linux', isExecutable: () => true };
  expect(runnable('/usr/bin/x.cmd', {}, system, read)).toEqual({ kind: 'runs', command: '/usr/bin/x.cmd', args: [] });
});
