import { expect, test } from 'vitest';
import type { Found } from '../../../electron/core/call/aim.ts';
import { answerMetaTool, MAX_PINS, type MetaToolParts } from '../../../electron/core/gateway/meta-tools.ts';
import type { Client } from '../../../shared/model.ts';

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
    },
    foresee: () => ({ effect: 'allow', rule: null, reason: '', standing: null }),
    notesFor: () => [],
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
