import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addDefined } from '../support/defined.ts';
import type { Recorder } from '../support/gatehouse.ts';
import { MODERN_META, openTarget, type Target } from '../support/target.ts';

const property = (header: unknown) => ({ type: 'string', 'x-mcp-header': header });
const withProperties = (properties: Readonly<Record<string, unknown>>) => ({ type: 'object', properties });

/** Each is bad by one thing; what is said of it is what the person reads. */
const BAD: readonly (readonly [what: string, definition: Readonly<Record<string, unknown>>, said: string])[] = [
  [
    'inputSchema: null',
    { name: 'null_schema', inputSchema: null },
    '"null_schema" has no input schema that is an object.',
  ],
  [
    'no inputSchema',
    { name: 'no_schema', inputSchema: undefined },
    '"no_schema" has no input schema that is an object.',
  ],
  [
    'a name of 300 characters',
    { name: 'n'.repeat(300) },
    `"${'n'.repeat(60)}"… has a name of more than 128 characters.`,
  ],
  [
    'a name with CR and LF',
    { name: 'bad\r\nname' },
    '"bad\\r\\nname" has a name with spaces, slashes, control or invisible characters.',
  ],
  [
    'a name with a space',
    { name: 'bad name' },
    '"bad name" has a name with spaces, slashes, control or invisible characters.',
  ],
  [
    'a name with a slash',
    { name: 'bad/name' },
    '"bad/name" has a name with spaces, slashes, control or invisible characters.',
  ],
  ['an empty name', { name: '' }, 'tool 7 of the list has an empty name.'],
  [
    'x-mcp-header: "Bad\\r\\nName"',
    { name: 'bad_header', inputSchema: withProperties({ a: property('Bad\r\nName') }) },
    '"bad_header" asks for an HTTP header with an impossible name (x-mcp-header).',
  ],
  [
    'the same x-mcp-header twice',
    { name: 'twice', inputSchema: withProperties({ a: property('Region'), b: property('region') }) },
    '"twice" asks for the same HTTP header twice (x-mcp-header).',
  ],
  [
    'x-mcp-header under oneOf',
    { name: 'one_of', inputSchema: { type: 'object', oneOf: [withProperties({ a: property('Region') })] } },
    '"one_of" asks for an HTTP header where none is possible (x-mcp-header).',
  ],
];
const GOOD = { name: 'good', description: 'Fine.', inputSchema: { type: 'object' } };

describe('G8 invalid definitions among good ones', () => {
  let target: Target;
  let mixed: Recorder;
  beforeAll(async () => {
    target = await openTarget();
    const bad = BAD.map(([, definition]) => ({ description: 'Bad.', inputSchema: { type: 'object' }, ...definition }));
    mixed = target.watch(
      await addDefined(target.gatehouse, 'mixed', {
        tools: [...bad, GOOD, { ...GOOD, description: 'Twice.' }, 'text', null],
      }),
    );
    const [{ fingerprint = '' } = {}] = await target.gatehouse.ask('toolsList', { upstream: 'mixed' });
    await target.gatehouse.ask('toolsReview', {
      upstream: 'mixed',
      accept: [{ name: 'good', fingerprint, risk: 'read' }],
    });
  });
  afterAll(() => target[Symbol.asyncDispose]());

  const upstream = async () => (await target.gatehouse.ask('upstreamsList')).find(({ name }) => name === 'mixed');

  test.each(BAD)('G8 %s: the tool is left out with a warning that says why', async (_, __, said) => {
    expect((await upstream())?.leftOut.map((line) => line.replace(/^Left out: (tool (?="))?/, ''))).toContain(said);
  });

  test('G8 the other one is listed, is the first of its name, and runs', async () => {
    const { gatehouse, k1 } = target;
    expect(
      (await gatehouse.ask('toolsList', { upstream: 'mixed' })).map(({ name, reviewed }) => [name, reviewed]),
    ).toEqual([['good', GOOD]]);
    expect((await upstream())?.leftOut).toHaveLength(BAD.length + 3);
    await gatehouse.ask('clientSet', { client: k1.clientId, scopeTags: ['*'] });
    const listed = await gatehouse.post(
      k1.secret,
      { jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta: MODERN_META } },
      { headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' } },
    );
    const tools = (listed.message?.result?.tools ?? []) as readonly { readonly name: string }[];
    expect(tools.map(({ name }) => name).filter((name) => name.startsWith('mixed'))).toEqual(['mixed__good']);
    expect((await gatehouse.call(k1.secret, 'mixed__good', '{"a":1}')).message?.result).toMatchObject({
      content: [{ text: '{"a":1}' }],
    });
    expect(mixed.calls()).toHaveLength(1);
  });

  test.each(['null_schema', 'bad_header', 'twice', 'one_of'])('G8 %s is no tool: -32602, NOREACH', async (name) => {
    const answer = await target.refuses({ kind: 'tool_call', errorClass: 'unknown_tool' }, () =>
      target.gatehouse.call(target.k1.secret, `mixed__${name}`),
    );
    expect(answer.message?.error?.code).toBe(-32602);
  });
});
