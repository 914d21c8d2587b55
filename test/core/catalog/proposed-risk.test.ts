import { expect, test } from 'vitest';
import { proposeRisk } from '../../../electron/core/catalog/proposed-risk.ts';
import type { Risk } from '../../../shared/model.ts';

const cases: readonly (readonly [string, Record<string, unknown>, Risk])[] = [
  ['read_file', {}, 'read'],
  ['getUserProfile', {}, 'read'],
  ['sql_server_list', {}, 'read'],
  ['list_deleted_items', {}, 'read'],
  ['write_file', {}, 'write'],
  ['read_and_update', {}, 'write'],
  ['frobnicate', {}, 'write'],
  ['frobnicate', { readOnlyHint: true }, 'read'],
  ['query_database', {}, 'write'],
  ['write_file', { readOnlyHint: true }, 'write'],
  ['delete_all', { readOnlyHint: true }, 'destructive'],
  ['deleteall', {}, 'destructive'],
  ['DELETE_ALL', {}, 'destructive'],
  ['HTTPDelete', {}, 'destructive'],
  ['find-and-remove', { destructiveHint: false }, 'destructive'],
  ['execute_command', { readOnlyHint: true }, 'destructive'],
  ['read_terminal_output', {}, 'read'],
  ['use_terminal', {}, 'destructive'],
  ['read_file', { destructiveHint: true }, 'destructive'],
  ['read_file', { readOnlyHint: false }, 'write'],
  ['read_file', { readOnlyHint: 'true' }, 'read'],
  ['frobnicate', { readOnlyHint: 'true' }, 'write'],
  ['ｄｅｌｅｔｅ_all', { readOnlyHint: true }, 'destructive'],
  ['dеlete_all', { readOnlyHint: true }, 'write'],
];

test.each(cases)('%s with %o is proposed as %s', (name, annotations, risk) => {
  expect(proposeRisk({ name, annotations, inputSchema: { type: 'object' } })).toBe(risk);
});

test('a title that destroys raises a harmless name', () => {
  expect(proposeRisk({ name: 'list_2', title: 'Delete everything', inputSchema: {} })).toBe('destructive');
});
