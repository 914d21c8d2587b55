import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Recorder, startGatehouse, type TestGatehouse, type TestKey } from '../support/gatehouse.ts';

/* Long lists come in pages, in both eras and on both kinds of endpoint. */

const MANY = 1_200;
/** The recorder has some tools of its own. */
const TOOLS = MANY + 11;
const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'a', version: '1' },
};
const MEMBERS = {
  'tools/list': ['tools', 'name'],
  'prompts/list': ['prompts', 'name'],
  'resources/list': ['resources', 'uri'],
  'resources/templates/list': ['resourceTemplates', 'uriTemplate'],
} as const;
type Method = keyof typeof MEMBERS;
type Answer = Awaited<ReturnType<TestGatehouse['post']>>;
type List = (method: Method, path: string, cursor?: unknown) => Promise<Answer>;

let gatehouse: TestGatehouse;
let key: TestKey;
let recorder: Recorder;

beforeAll(async () => {
  gatehouse = await startGatehouse();
  key = await gatehouse.key({ name: 'agent', scopeTags: ['*'] });
  recorder = await gatehouse.recorder('many', {
    args: [`--many=${MANY}`, `--others=${MANY}`],
    risk: 'read',
  });
}, 60_000);
afterAll(() => gatehouse.close());

const modern: List = (method, path, cursor) =>
  gatehouse.post(
    key.secret,
    { jsonrpc: '2.0', id: 1, method, params: { ...(cursor === undefined ? {} : { cursor }), _meta: META } },
    { path, headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method } },
  );

const legacy: List = async (method, path, cursor) => {
  const hello = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'a', version: '1' } };
  const opened = await gatehouse.post(
    key.secret,
    { jsonrpc: '2.0', id: 0, method: 'initialize', params: hello },
    { path },
  );
  const headers = {
    'mcp-session-id': opened.headers.get('mcp-session-id') ?? '',
    'mcp-protocol-version': '2025-11-25',
  };
  await gatehouse.post(key.secret, { jsonrpc: '2.0', method: 'notifications/initialized' }, { path, headers });
  const params = cursor === undefined ? {} : { cursor };
  return gatehouse.post(key.secret, { jsonrpc: '2.0', id: 1, method, params }, { path, headers });
};

/** The keys of each page. */
async function walk(list: List, method: Method, path: string): Promise<readonly (readonly string[])[]> {
  const [member, named] = MEMBERS[method];
  const pages: string[][] = [];
  let cursor: unknown;
  do {
    const answer = await list(method, path, cursor);
    const result = answer.message?.result as Record<string, Record<string, string>[]> | undefined;
    expect(result?.[member], answer.text.slice(0, 500)).toBeDefined();
    pages.push((result?.[member] ?? []).map((entry) => entry[named] ?? ''));
    cursor = result?.nextCursor;
  } while (cursor !== undefined);
  return pages;
}

describe.each([
  ['legacy', legacy],
  ['modern', modern],
] as const)('a %s client', (_era, list) => {
  test.each(Object.keys(MEMBERS) as Method[])(
    'gets %s in pages, every entry once and in the same order each time',
    async (method) => {
      const pages = await walk(list, method, '/u/many/mcp');
      expect(pages.map((page) => page.length)).toEqual([1_000, method === 'tools/list' ? TOOLS - 1_000 : 200]);
      expect(new Set(pages.flat()).size).toBe(pages.flat().length);
      expect(await walk(list, method, '/u/many/mcp')).toEqual(pages);
    },
  );

  test("finds Gatehouse's own tools on the first page, before all others", async () => {
    const pages = await walk(list, 'tools/list', '/mcp');
    expect(pages[0]?.[0]).toBe('find_tools');
    expect(pages.flat().filter((name) => name === 'find_tools')).toHaveLength(1);
    expect(pages.flat().filter((name) => name.startsWith('many__'))).toHaveLength(TOOLS);
  });

  test('is told that a cursor is none: made up, of another list, or no text', async () => {
    const { nextCursor } = (await list('tools/list', '/u/many/mcp')).message?.result ?? {};
    expect(nextCursor).toEqual(expect.any(String));
    const wrong = [
      list('tools/list', '/u/many/mcp', 'made-up'),
      list('prompts/list', '/u/many/mcp', nextCursor),
      list('tools/list', '/mcp', nextCursor),
    ];
    for (const answer of await Promise.all(wrong))
      expect(answer.message?.error, answer.text).toMatchObject({ code: -32602 });
  });
});

test('what a client may not see is on no page, however it got its cursor', async () => {
  const stranger = await gatehouse.key({ name: 'stranger', scopeTags: ['*'], upstreams: ['demo'] });
  const { nextCursor } = (await modern('tools/list', '/mcp')).message?.result ?? {};
  const answer = await gatehouse.post(
    stranger.secret,
    { jsonrpc: '2.0', id: 1, method: 'tools/list', params: { cursor: nextCursor, _meta: META } },
    { headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' } },
  );
  expect(answer.message?.result).toMatchObject({ tools: [] });
  expect(recorder.calls()).toEqual([]);
});
