import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Inventory } from '../../../electron/core/catalog/inventory.ts';
import type { ToolDefinition } from '../../../shared/model.ts';
import { definition, ENDPOINT, inventoryOn, openTables, reviewed } from './support.ts';

let db: ReturnType<typeof openTables>;
let inventory: Inventory;
beforeEach(() => {
  db = openTables();
  inventory = inventoryOn(db);
});
afterEach(() => db.close());

const view = (name: string, upstream = 'w/fs') => inventory.view(upstream).find((tool) => tool.name === name)!;
const acceptance = (name: string, upstream = 'w/fs') => ({
  name,
  fingerprint: view(name, upstream).fingerprint,
  risk: 'read' as const,
});

describe('review', () => {
  test('tools of a new upstream wait, and nothing of them is for agents', () => {
    expect(inventory.takeIn('w/fs', ENDPOINT, [definition('read')])).toEqual({ changed: true, problems: [] });
    expect(inventory.find('w/fs', 'read')).toMatchObject({ state: 'awaiting_review', reviewed: null });
  });

  test('a reviewed tool is callable with the risk the person confirmed', () => {
    inventory.takeIn('w/fs', ENDPOINT, [definition('read')]);
    expect(view('read')).toMatchObject({ risk: 'read', proposedRisk: 'read' });
    expect(inventory.review('w/fs', [{ ...acceptance('read'), risk: 'destructive' }])).toEqual({
      kind: 'done',
      accepted: 1,
    });
    expect(inventory.find('w/fs', 'read')).toMatchObject({
      state: 'reviewed',
      risk: 'destructive',
      reviewed: definition('read'),
      offered: null,
    });
  });

  test('G1 one changed character sets the tool aside while agents keep the reviewed text', () => {
    reviewed(inventory, 'w/fs', [definition('read')]);
    const before = inventory.find('w/fs', 'read')!;
    inventory.takeIn('w/fs', ENDPOINT, [definition('read', { description: 'Does read!' })]);
    expect(inventory.find('w/fs', 'read')).toMatchObject({
      state: 'changed',
      fingerprint: before.fingerprint,
      reviewed: { description: 'Does read.' },
      offered: { description: 'Does read!' },
    });
    expect(view('read').fingerprint).not.toBe(before.fingerprint);
    inventory.review('w/fs', [acceptance('read')]);
    expect(inventory.find('w/fs', 'read')).toMatchObject({
      state: 'reviewed',
      reviewed: { description: 'Does read!' },
    });
  });

  test('a tool that changes back to the reviewed text is callable again without a review', () => {
    reviewed(inventory, 'w/fs', [definition('read')]);
    inventory.takeIn('w/fs', ENDPOINT, [definition('read', { title: 'New' })]);
    inventory.takeIn('w/fs', ENDPOINT, [definition('read')]);
    expect(inventory.find('w/fs', 'read')).toMatchObject({ state: 'reviewed', offered: null });
  });

  test('another command or address sets every tool aside and says so', () => {
    reviewed(inventory, 'w/fs', [definition('read')]);
    inventory.takeIn('w/fs', 'node evil.js', [definition('read')]);
    expect(view('read')).toMatchObject({
      state: 'changed',
      flags: ['The command or address of the upstream is not the one that was reviewed.'],
    });
  });

  test('G3 a tool that appears later waits while the others stay callable', () => {
    reviewed(inventory, 'w/fs', [definition('read')]);
    inventory.takeIn('w/fs', ENDPOINT, [definition('read'), definition('exfil')]);
    expect(inventory.find('w/fs', 'exfil')).toMatchObject({ state: 'awaiting_review', reviewed: null });
    expect(inventory.find('w/fs', 'read')).toMatchObject({ state: 'reviewed' });
  });

  test('a tool that changed while it was being read is not accepted, nor is anything beside it', () => {
    inventory.takeIn('w/fs', ENDPOINT, [definition('read'), definition('list')]);
    const shown = [acceptance('list'), acceptance('read')];
    inventory.takeIn('w/fs', ENDPOINT, [definition('read', { title: 'New' }), definition('list')]);
    expect(inventory.review('w/fs', shown)).toEqual({
      kind: 'refused',
      message: 'Nothing was accepted: "read" changed while it was being read; look at it again.',
    });
    expect(inventory.find('w/fs', 'list')).toMatchObject({ state: 'awaiting_review' });
  });

  test('a tool that is no longer listed cannot be accepted', () => {
    inventory.takeIn('w/fs', ENDPOINT, [definition('read')]);
    const shown = [acceptance('read')];
    inventory.takeIn('w/fs', ENDPOINT, []);
    expect(inventory.review('w/fs', shown)).toEqual({
      kind: 'refused',
      message: 'Nothing was accepted: the upstream no longer lists "read".',
    });
  });

  test('the risk of a reviewed tool can be confirmed anew', () => {
    reviewed(inventory, 'w/fs', [definition('read')]);
    inventory.review('w/fs', [{ ...acceptance('read'), risk: 'write' }]);
    expect(inventory.find('w/fs', 'read')).toMatchObject({ state: 'reviewed', risk: 'write' });
  });

  test('the built-in upstream ships reviewed, yet a later change of it waits', () => {
    inventory.takeIn('w/demo', ENDPOINT, [definition('hello'), definition('extra')]);
    inventory.acceptBuiltIn('w/demo', { hello: 'read' });
    expect(inventory.find('w/demo', 'hello')).toMatchObject({ state: 'reviewed', risk: 'read' });
    expect(inventory.find('w/demo', 'extra')).toMatchObject({ state: 'awaiting_review' });
    inventory.takeIn('w/demo', ENDPOINT, [definition('hello', { title: 'Changed' })]);
    inventory.acceptBuiltIn('w/demo', { hello: 'read' });
    expect(inventory.find('w/demo', 'hello')).toMatchObject({ state: 'changed' });
  });
});

describe('tools that go', () => {
  test('a reviewed tool that is no longer listed is gone, and comes back reviewed when it is the same', () => {
    reviewed(inventory, 'w/fs', [definition('read')]);
    inventory.takeIn('w/fs', ENDPOINT, []);
    expect(inventory.find('w/fs', 'read')).toMatchObject({ state: 'gone' });
    inventory.takeIn('w/fs', ENDPOINT, [definition('read')]);
    expect(inventory.find('w/fs', 'read')).toMatchObject({ state: 'reviewed' });
  });

  test('one that comes back different has changed', () => {
    reviewed(inventory, 'w/fs', [definition('read')]);
    inventory.takeIn('w/fs', ENDPOINT, []);
    inventory.takeIn('w/fs', ENDPOINT, [definition('read', { title: 'New' })]);
    expect(inventory.find('w/fs', 'read')).toMatchObject({ state: 'changed' });
  });

  test('one that was never reviewed leaves nothing behind', () => {
    inventory.takeIn('w/fs', ENDPOINT, [definition('read')]);
    inventory.takeIn('w/fs', ENDPOINT, []);
    expect(inventory.view()).toEqual([]);
    expect(db.prepare('SELECT count(*) FROM exposed_names').pluck().get()).toBe(0);
  });

  test('a forgotten upstream leaves no tool, not even after a restart', () => {
    reviewed(inventory, 'w/fs', [definition('read')]);
    inventory.forget('w/fs');
    expect(inventory.find('w/fs', 'read')).toBeNull();
    expect(inventory.byExposedName('w', 'fs__read')).toBeNull();
    expect(inventoryOn(db).view()).toEqual([]);
  });
});

describe('names', () => {
  test('G4 tools of one name on two upstreams have two exposed names', () => {
    reviewed(inventory, 'w/fs', [definition('read_file')]);
    reviewed(inventory, 'w/evil', [definition('read_file')]);
    expect(inventory.byExposedName('w', 'fs__read_file')?.upstreamId).toBe('w/fs');
    expect(inventory.byExposedName('w', 'evil__read_file')?.upstreamId).toBe('w/evil');
  });

  test('H5 only the exact name is found', () => {
    reviewed(inventory, 'w/sh', [definition('exec')]);
    for (const name of [
      'Sh__Exec',
      'sh__exec ',
      ' sh__exec',
      'sh__exec\u0000',
      'sh․exec',
      'ｓh__exec',
      'sh__exe',
      '',
    ]) {
      expect(inventory.byExposedName('w', name)).toBeNull();
    }
    expect(inventory.byExposedName('w', 'sh__exec')).not.toBeNull();
    expect(inventory.byExposedName('other', 'sh__exec')).toBeNull();
  });

  test('two tools of one upstream that look alike get two names, whatever order they are listed in', () => {
    inventory.takeIn('w/fs', ENDPOINT, [definition('a_b'), definition('a-b'), definition('A.B')]);
    const names = ['a-b', 'a_b', 'A.B'].map((name) => view(name).exposedName);
    expect(new Set(names.map((name) => name?.toLowerCase())).size).toBe(3);
    const other = openTables();
    const again = inventoryOn(other);
    again.takeIn('w/fs', ENDPOINT, [definition('A.B'), definition('a-b'), definition('a_b')]);
    expect(['a-b', 'a_b', 'A.B'].map((name) => again.find('w/fs', name)?.exposedName)).toEqual(names);
    other.close();
  });

  test('a name never moves to another tool, not even when its own is gone, forgotten and the app restarted', () => {
    reviewed(inventory, 'w/a', [definition('b__c')]);
    expect(inventory.find('w/a', 'b__c')?.exposedName).toBe('a__b__c');
    inventory.forget('w/a');
    const restarted = inventoryOn(db);
    restarted.takeIn('w/a--b', ENDPOINT, [definition('c')]);
    expect(restarted.find('w/a--b', 'c')?.exposedName).toMatch(/^a__b__c_[0-9a-f]{8}$/);
    restarted.takeIn('w/a', ENDPOINT, [definition('b__c')]);
    expect(restarted.find('w/a', 'b__c')?.exposedName).toBe('a__b__c');
  });

  test('workspaces do not take names from each other', () => {
    reviewed(inventory, 'w/fs', [definition('read')]);
    reviewed(inventory, 'v/fs', [definition('read')]);
    expect(inventory.byExposedName('v', 'fs__read')?.upstreamId).toBe('v/fs');
  });
});

describe('G8 a bad definition is left out with a sentence, the others stay', () => {
  const schema = { type: 'object' };
  const header = (value: unknown) => ({ type: 'string', 'x-mcp-header': value });
  const cases: readonly (readonly [string, unknown, string])[] = [
    ['inputSchema null', { name: 'x', inputSchema: null }, 'tool "x" has no input schema that is an object'],
    ['no inputSchema', { name: 'x' }, 'tool "x" has no input schema that is an object'],
    ['inputSchema a list', { name: 'x', inputSchema: [] }, 'tool "x" has no input schema that is an object'],
    [
      'a long name',
      { name: 'n'.repeat(300), inputSchema: schema },
      `tool "${'n'.repeat(60)}"… has a name of more than 128 characters`,
    ],
    ['an empty name', { name: '', inputSchema: schema }, 'tool 1 of the list has an empty name'],
    ['no name', { inputSchema: schema }, 'tool 1 of the list has no name'],
    [
      'CRLF',
      { name: 'a\r\nb', inputSchema: schema },
      'tool "a\\r\\nb" has a name with spaces, slashes, control or invisible characters',
    ],
    [
      'a space',
      { name: 'a b', inputSchema: schema },
      'tool "a b" has a name with spaces, slashes, control or invisible characters',
    ],
    [
      'a slash',
      { name: 'a/b', inputSchema: schema },
      'tool "a/b" has a name with spaces, slashes, control or invisible characters',
    ],
    [
      'NUL',
      { name: 'a\0b', inputSchema: schema },
      'tool "a\\u0000b" has a name with spaces, slashes, control or invisible characters',
    ],
    [
      'an override',
      { name: 'a\u202eb', inputSchema: schema },
      'tool "a\\u{202e}b" has a name with spaces, slashes, control or invisible characters',
    ],
    [
      'zero width',
      { name: 'a\u200bb', inputSchema: schema },
      'tool "a\\u{200b}b" has a name with spaces, slashes, control or invisible characters',
    ],
    [
      'a number for text',
      { name: 'x', description: 5, inputSchema: schema },
      'tool "x" has a description that is no text',
    ],
    ['no object', 'x', 'tool 1 of the list is no object'],
    ['null', null, 'tool 1 of the list is no object'],
    [
      'a huge one',
      { name: 'x', description: 'd'.repeat(300_000), inputSchema: schema },
      'tool "x" is larger than 256 kB',
    ],
    [
      'a bad header',
      { name: 'x', inputSchema: { properties: { a: header('Bad\r\nName') } } },
      'tool "x" asks for an HTTP header with an impossible name (x-mcp-header)',
    ],
    [
      'a header twice',
      { name: 'x', inputSchema: { properties: { a: header('One'), b: header('one') } } },
      'tool "x" asks for the same HTTP header twice (x-mcp-header)',
    ],
    [
      'a header for a number, whose text is not the same everywhere',
      { name: 'x', inputSchema: { properties: { a: { type: 'number', 'x-mcp-header': 'Amount' } } } },
      'tool "x" asks for an HTTP header where none is possible (x-mcp-header)',
    ],
    [
      'a header under oneOf',
      { name: 'x', inputSchema: { oneOf: [{ properties: { a: header('One') } }] } },
      'tool "x" asks for an HTTP header where none is possible (x-mcp-header)',
    ],
  ];
  test.each(cases)('%s', (_, bad, sentence) => {
    const { problems } = inventory.takeIn('w/fs', ENDPOINT, [bad, definition('good')]);
    expect(problems).toEqual([`Left out: ${sentence}.`]);
    expect(inventory.tools('w/fs').map(({ name }) => name)).toEqual(['good']);
  });

  test('nesting without end', () => {
    let deep: unknown = 'end';
    for (let level = 0; level < 5000; level += 1) deep = { items: deep };
    const { problems } = inventory.takeIn('w/fs', ENDPOINT, [{ name: 'x', inputSchema: deep }, definition('good')]);
    expect(problems).toEqual(['Left out: tool "x" nests deeper than 64 levels.']);
    expect(inventory.tools('w/fs').map(({ name }) => name)).toEqual(['good']);
  });

  test('two tools of one name: the first stands', () => {
    const { problems } = inventory.takeIn('w/fs', ENDPOINT, [
      definition('a', { title: '1' }),
      definition('a', { title: '2' }),
    ]);
    expect(problems).toEqual(['Left out: tool "a" is listed twice; the first one stands.']);
    expect(view('a').offered?.title).toBe('1');
  });

  test('the 5,001st tool', () => {
    const many = Array.from({ length: 5_003 }, (_, index) => definition(`tool_${index}`));
    const { problems } = inventory.takeIn('w/fs', ENDPOINT, many);
    expect(problems).toEqual(['Left out: 3 more tools; one upstream may have 5000.']);
    expect(inventory.tools('w/fs')).toHaveLength(5_000);
  });

  test('a header that may be asked for is no fault, nor is a parameter called x-mcp-header', () => {
    const inputSchema = { type: 'object', properties: { 'x-mcp-header': { type: 'string' }, a: header('Region') } };
    expect(inventory.takeIn('w/fs', ENDPOINT, [definition('ok', { inputSchema })]).problems).toEqual([]);
  });
});

test('members that nobody knows are kept exactly, in their order, over a restart', () => {
  const sent =
    '{"zeta":[1,{"b":2,"a":null}],"name":"odd","inputSchema":{"type":"object","$defs":{"__proto__":{}}},"_meta":{"x":"\\ud800"}}';
  inventory.takeIn('w/fs', ENDPOINT, [JSON.parse(sent)]);
  expect(JSON.stringify(inventoryOn(db).view('w/fs')[0]?.offered)).toBe(sent);
});

test('everything is as it was after a restart', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-inventory-'));
  const path = join(folder, 'state.db');
  const first = openTables(path);
  const before = inventoryOn(first);
  reviewed(before, 'w/fs', [definition('keep'), definition('change'), definition('go')], 'write');
  before.takeIn('w/fs', ENDPOINT, [definition('keep'), definition('change', { title: 'New' }), definition('new')]);
  const seen = before.view();
  first.close();
  const second = openTables(path);
  const after = inventoryOn(second);
  expect(after.view()).toEqual(seen);
  expect(after.view().map(({ name, state }) => `${name} ${state}`)).toEqual([
    'change changed',
    'go gone',
    'keep reviewed',
    'new awaiting_review',
  ]);
  expect(after.byExposedName('w', 'fs__keep')).toMatchObject({ risk: 'write', reviewed: definition('keep') });
  // What was reviewed is known by its fingerprint: the same list changes nothing.
  expect(
    after.takeIn('w/fs', ENDPOINT, [definition('keep'), definition('change', { title: 'New' }), definition('new')]),
  ).toEqual({ changed: false, problems: [] });
  second.close();
  rmSync(folder, { recursive: true });
});

test('listeners are told of every change and of nothing else', () => {
  const told: string[] = [];
  const end = inventory.onChange((upstreamId) => told.push(upstreamId));
  inventory.takeIn('w/fs', ENDPOINT, [definition('read')]);
  inventory.takeIn('w/fs', ENDPOINT, [definition('read')]);
  expect(told).toEqual(['w/fs']);
  inventory.review('w/fs', [acceptance('read')]);
  expect(told).toEqual(['w/fs', 'w/fs']);
  end();
  inventory.forget('w/fs');
  expect(told).toHaveLength(2);
});

test('an upstream that was removed meanwhile takes in nothing', () => {
  expect(inventory.takeIn('nowhere', ENDPOINT, [definition('read')])).toEqual({
    changed: false,
    problems: ['Nothing was taken in: the upstream has been removed.'],
  });
});

test('finding one of 5,000 tools takes microseconds', () => {
  const many: ToolDefinition[] = Array.from({ length: 5_000 }, (_, index) => definition(`tool_${index}`));
  reviewed(inventory, 'w/fs', many);
  const start = performance.now();
  for (let index = 0; index < 5_000; index += 1) inventory.byExposedName('w', `fs__tool_${index}`);
  for (let index = 0; index < 5_000; index += 1) inventory.tools('w/fs');
  expect((performance.now() - start) / 10_000).toBeLessThan(0.02);
});
