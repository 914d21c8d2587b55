import { expect, test } from 'vitest';
import type { Found } from '../../../electron/core/call/aim.ts';
import {
  answerMetaTool,
  MAX_PINS,
  type MetaToolParts,
  metaToolsFor,
} from '../../../electron/core/gateway/meta-tools.ts';
import type { Client } from '../../../shared/model.ts';
import { memoryConnections, noConnections } from '../../support/connections.ts';
import { upstreamView } from '../catalog/support.ts';

const client: Client = {
  id: 'c1',
  workspaceId: 'w',
  name: 'agent',
  callsItself: null,
  tags: [],
  upstreams: null,
  scopeTags: [],
  holdMs: 0,
  createdAt: 0,
};

function world(pinned: readonly string[], gone: ReadonlySet<string> = new Set()) {
  let pins = pinned;
  let told = 0;
  const found = (exposedName: string) => ({ tool: { exposedName } }) as unknown as Found;
  const parts: MetaToolParts = {
    catalog: {
      find: (_client, exposedName) => (gone.has(exposedName) ? null : found(exposedName)),
      findDirect: (_client, upstream, tool) => found(`${upstream}__${tool}`),
      search: () => ({ found: [], notes: [] }),
      upstreams: () => [],
    },
    foresee: () => ({ effect: 'allow', rule: null, reason: '', standing: null }),
    notesFor: () => [],
    connections: noConnections,
    origin: () => 'http://127.0.0.1:3100',
    pins: {
      get: () => pins,
      set(_client, names) {
        pins = names;
      },
    },
    listChanged: () => {
      told += 1;
    },
  };
  const ask = (name: 'pin_tool' | 'unpin_tool', tool: string) =>
    answerMetaTool(parts, client, name, { upstream: 'u', tool });
  return { ask, pins: () => pins, told: () => told };
}

const HUNDRED = Array.from({ length: MAX_PINS }, (_, n) => `u__t${n}`);

test('a client pins a hundred tools and no more, and is told what to do', () => {
  const w = world(HUNDRED.slice(1));
  expect(w.ask('pin_tool', 't0')).toMatchObject({ kind: 'result' });
  expect(w.pins()).toHaveLength(100);
  expect(w.ask('pin_tool', 'one_more')).toEqual({
    kind: 'invalid',
    message:
      'This client has 100 pinned tools already, which is the most there can be. Take one out with unpin_tool, or call the tool by call_external_tool without pinning it.',
  });
  expect([w.pins().length, w.told()]).toEqual([100, 1]);
  expect(w.ask('pin_tool', 't5')).toMatchObject({ kind: 'result' });
  w.ask('unpin_tool', 't5');
  expect(w.ask('pin_tool', 'one_more')).toMatchObject({ kind: 'result' });
  expect(w.pins().at(-1)).toBe('u__one_more');
});

test('pins of tools that are no more give way, because nothing could take them out', () => {
  const w = world(HUNDRED, new Set(['u__t3']));
  expect(w.ask('pin_tool', 'one_more')).toMatchObject({ kind: 'result' });
  expect(w.pins()).toHaveLength(100);
  expect(w.pins()).not.toContain('u__t3');
  expect(w.pins()).toContain('u__one_more');
  expect(w.told()).toBe(1);
});

test('call_external_tool says that an account can be chosen where there is a choice, and changes in nothing else', () => {
  const property = (choice: boolean) =>
    metaToolsFor({ choice }).map(({ name, inputSchema }) => [name, Object.keys(inputSchema.properties as object)]);
  const changed = property(true).filter((one, at) => JSON.stringify(one) !== JSON.stringify(property(false)[at]));
  expect(changed).toEqual([['call_external_tool', ['upstream', 'tool', 'arguments', 'connection']]]);
});

test('find_tools names the accounts to choose from, and says which upstreams are not connected and where that is mended', () => {
  const connections = memoryConnections();
  const view = (id: string, more = {}) => ({ ...upstreamView(id), name: id, ...more });
  const upstreams = [
    view('github'),
    view('notion', { needsSignIn: true }),
    view('off', { needsSignIn: true, enabled: false }),
  ];
  connections.add('github', 'work');
  const tool = { name: 'merge', exposedName: 'github__merge', risk: 'write', state: 'reviewed', reviewed: null };
  const parts = {
    catalog: {
      find: () => null,
      findDirect: () => null,
      search: () => ({ found: [{ tool, upstream: upstreams[0], score: 1 }], notes: ['of the search'] }),
      upstreams: () => upstreams,
    },
    foresee: () => ({ effect: 'allow', rule: null, reason: '', standing: null }),
    notesFor: () => [],
    connections,
    origin: () => 'http://127.0.0.1:3100',
    pins: { get: () => [], set() {} },
    listChanged() {},
  } as unknown as MetaToolParts;
  const find = () => {
    const answer = answerMetaTool(parts, client, 'find_tools', {});
    if (answer.kind !== 'result') throw new Error(answer.message);
    return answer.result.structuredContent as { tools: unknown[]; connections?: unknown; notes: string[] };
  };
  const notion = 'notion: not connected. Visit http://127.0.0.1:3100/open/connections/notion to authorize.';
  expect(find()).toMatchObject({ notes: [notion, 'of the search'] });
  expect(find()).not.toHaveProperty('connections');
  expect(find().tools[0]).not.toHaveProperty('note');

  const home = connections.add('github', 'home', { state: 'signed_out' });
  expect(find().connections).toEqual({
    github: [
      { name: 'work', default: true },
      { name: 'home', state: 'not connected' },
    ],
  });
  expect(find().tools[0]).not.toHaveProperty('note');
  connections.makeDefault(home.id, 'c1');
  const link = 'http://127.0.0.1:3100/open/connections/github';
  expect(find().tools[0]).toMatchObject({ needs_sign_in: true, note: `not connected. Visit ${link} to authorize.` });
  expect(find().notes[0]).toBe(`github: not connected. Visit ${link} to authorize.`);
});
