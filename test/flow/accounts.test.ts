import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../electron/core/platform.ts';
import type { ConnectionView } from '../../shared/connections.ts';
import type { ApprovalView, StandingScope } from '../../shared/model.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { type Listening, startListening } from '../support/fixture-upstream.ts';
import { eventually, PERSON, startGatehouse, type TestGatehouse, type TestKey } from '../support/gatehouse.ts';
import { jsonLines } from '../support/lines.ts';
import { connectPeer } from '../support/peers/clients.ts';
import { MODERN_META } from '../support/target.ts';

/*
 * One upstream, two accounts: API keys, so that the header of each request tells as whom it went out.
 */

type Json = Readonly<Record<string, unknown>>;

interface World extends AsyncDisposable {
  readonly gatehouse: TestGatehouse;
  readonly key: TestKey;
  readonly upstream: string;
  connect(label: string): Promise<ConnectionView>;
  review(risk?: 'read' | 'write'): Promise<void>;
  policy(policy: unknown): Promise<void>;
  /** `call_external_tool` with these members beside upstream and tool. */
  call(members?: Json, tool?: string): Promise<Result>;
  /** Both accounts signed in, `work` the default, a client of its own, this policy, nothing arrived. */
  anew(policy?: unknown): Promise<World>;
  /** The account and the arguments of every call that arrived since. */
  arrived(): readonly (readonly [key: string | undefined, args: unknown])[];
}

interface Result {
  readonly isError?: boolean;
  readonly content?: readonly { readonly text?: string }[];
  readonly structuredContent?: Json;
  readonly _meta?: Json;
  readonly inputRequests?: Json;
  readonly requestState?: unknown;
}

async function world({
  accounts = ['work', 'home'],
  words = [] as readonly string[],
  policy = ALLOW as unknown,
  clock = systemClock,
} = {}): Promise<World> {
  const gatehouse = await startGatehouse({ clock });
  const file = join(gatehouse.folder, 'github.jsonl');
  const server: Listening = await startListening('recorder-http.mjs', file, ...words);
  const key = await gatehouse.key({ name: 'agent' });
  const transport = { kind: 'http' as const, url: server.url };
  const added = await gatehouse.ask('upstreamAdd', { name: 'github', transport });
  if (added.kind !== 'done') throw new Error(added.message);
  const { id } = added.upstream;
  const place = { in: 'header', name: 'Authorization', prefix: 'Bearer ' } as const;
  const mode = await gatehouse.ask('upstreamSignIn', { upstream: id, signIn: { kind: 'api_key', place } });
  if (mode.kind !== 'done') throw new Error(mode.message);
  let seen = 0;
  let clients = 0;
  const all = () =>
    jsonLines<{ kind: string; headers?: Record<string, string>; body?: string }>(file).flatMap(
      ({ kind, headers, body }) => {
        const message = kind === 'request' && body ? (JSON.parse(body) as { method?: string; params?: Json }) : {};
        if (message.method !== 'tools/call') return [];
        return [[headers?.authorization?.replace('Bearer key-of-', ''), message.params?.arguments] as const];
      },
    );
  const w: World = {
    gatehouse,
    key,
    upstream: id,
    async connect(label) {
      const known = (await gatehouse.ask('connectionsList', { upstream: id })).find((one) => one.label === label);
      if (known?.state === 'connected') return known;
      const again = known === undefined ? { label } : { connection: known.id };
      const begun = await gatehouse.ask('signInStart', { upstream: id, ...again, secret: `key-of-${label}` });
      if (begun.kind !== 'done') throw new Error(begun.message);
      return eventually(async () => {
        const of = await gatehouse.ask('connectionsList', { upstream: id });
        return of.find((one) => one.label === label && one.state === 'connected') ?? null;
      }, `the account ${label}`);
    },
    async review(risk = 'write') {
      const tools = await eventually(async () => {
        const listed = await gatehouse.ask('toolsList', { upstream: id });
        return listed.length > 0 ? listed : null;
      }, 'the tools');
      const accept = tools.map(({ name, fingerprint }) => ({ name, fingerprint, risk }));
      const reviewed = await gatehouse.ask('toolsReview', { upstream: id, accept });
      if (reviewed.kind !== 'done') throw new Error(reviewed.message);
    },
    async policy(wanted) {
      const done = await gatehouse.ask('policyImport', { yaml: JSON.stringify(wanted) });
      if (done.kind !== 'done') throw new Error(done.message);
    },
    call: (members = {}, tool = 'echo') =>
      through(gatehouse, key, 'call_external_tool', { upstream: 'github', tool, ...members }),
    async anew(wanted = ALLOW) {
      await w.policy(wanted);
      for (const { id: one, label } of await gatehouse.ask('connectionsList', { upstream: id }))
        if (label !== 'work' && label !== 'home') await gatehouse.ask('connectionRemove', { connection: one });
      const work = await w.connect('work');
      await w.connect('home');
      await gatehouse.ask('connectionDefault', { connection: work.id });
      seen = all().length;
      clients += 1;
      const own = await gatehouse.key({ name: `agent-${clients}` });
      const call: World['call'] = (members = {}, tool = 'echo') =>
        through(gatehouse, own, 'call_external_tool', { upstream: 'github', tool, ...members });
      return { ...w, key: own, call };
    },
    arrived: () => all().slice(seen),
    async [Symbol.asyncDispose]() {
      await gatehouse.close();
      await server[Symbol.asyncDispose]();
    },
  };
  await w.policy(policy);
  for (const label of accounts) await w.connect(label);
  if (accounts.length > 0) await w.review();
  return w;
}

const ALLOW = { defaultEffect: 'allow', rules: [] };
const ASK = { defaultEffect: 'require_approval', rules: [] };

async function through({ call }: TestGatehouse, { secret }: TestKey, tool: string, args: Json = {}): Promise<Result> {
  const { message } = await call(secret, tool, JSON.stringify(args));
  if (message?.result === undefined) throw new Error(message?.error?.message ?? 'no answer');
  return message.result as Result;
}

/** What find_tools says of `echo`. */
async function found({ gatehouse, key }: World) {
  const { structuredContent } = await through(gatehouse, key, 'find_tools', { query: 'echo' });
  return structuredContent as { readonly tools: Json[]; readonly connections?: unknown; readonly notes: string[] };
}

const classOf = (result: Result) => result._meta?.['gatehouse/class'];
const textOf = (result: Result) => result.content?.[0]?.text ?? '';
const account = async ({ gatehouse }: World, label: string) =>
  (await gatehouse.ask('connectionsList')).find((one) => one.label === label) as ConnectionView;
const yes = (gatehouse: TestGatehouse, card: ApprovalView, scope: StandingScope = 'once') =>
  gatehouse.ask('approvalApprove', { approval: card.id, argumentsSha256: card.argumentsSha256, scope });

describe('with two accounts', () => {
  let both: World;
  beforeAll(async () => {
    both = await world();
  });
  afterAll(() => both[Symbol.asyncDispose]());

  test('a call goes out as the account it names, else as the client’s default, else as the upstream’s; the record says which', async () => {
    const w = await both.anew();
    await w.call({ arguments: { n: 1 } });
    await w.call({ arguments: { n: 2 }, connection: 'home' });
    await through(w.gatehouse, w.key, 'github__echo', { n: 3 });
    const home = await account(w, 'home');
    await w.gatehouse.ask('connectionDefault', { connection: home.id, client: w.key.clientId });
    await through(w.gatehouse, w.key, 'github__echo', { n: 4 });
    const other = await w.gatehouse.key({ name: 'other' });
    await through(w.gatehouse, other, 'github__echo', { n: 5 });
    // A tool may have an argument of that name: it is the tool's own.
    await through(w.gatehouse, other, 'github__echo', { n: 6, connection: 'home' });
    await w.call({ arguments: { n: 7, connection: 'home' }, connection: 'work' });
    expect(w.arrived()).toEqual([
      ['work', { n: 1 }],
      ['home', { n: 2 }],
      ['work', { n: 3 }],
      ['home', { n: 4 }],
      ['work', { n: 5 }],
      ['work', { n: 6, connection: 'home' }],
      ['work', { n: 7, connection: 'home' }],
    ]);
    await w.gatehouse.audit((entries) => entries.filter(({ phase }) => phase === 'ended').length >= 7);
    const { records } = await w.gatehouse.ask('auditList', { limit: 50 });
    const calls = records.filter(({ kind }) => kind === 'tool_call').toSorted((a, b) => a.at - b.at);
    expect(calls.map(({ connection }) => connection)).toEqual(['work', 'home', 'work', 'home', 'work', 'work', 'work']);
    const detail = calls[1]?.entries.find(({ phase }) => phase === 'forwarded')?.detail;
    expect(detail).toMatchObject({ connection: 'home', connectionId: home.id });
  });

  test('a label that there is not is refused with those there are, and reaches nobody', async () => {
    const w = await both.anew();
    const refused = await w.call({ connection: 'wrok' });
    expect(classOf(refused)).toBe('invalid_arguments');
    expect(textOf(refused)).toMatch(/no account "wrok"\. There are: .*"work"/);
    expect(textOf(refused)).toContain('"home"');
    expect(w.arrived()).toEqual([]);
  });

  test('no account is called as rules call a call without one', async () => {
    const w = await both.anew();
    const { id } = await account(w, 'work');
    const rename = w.gatehouse.core.api.request('connectionRename', { connection: id, label: 'None' }, PERSON);
    expect(await rename).toMatchObject({ kind: 'bad_request', message: expect.stringContaining('without an account') });
  });

  test('rules decide by the account, and what decides can be asked beforehand', async () => {
    const match = { connection: 'work', tool: 'echo' };
    const w = await both.anew({ defaultEffect: 'allow', rules: [{ name: 'not-at-work', effect: 'deny', match }] });
    const denied = await w.call();
    expect([classOf(denied), denied._meta?.['gatehouse/rule']]).toEqual(['policy_denied', 'not-at-work']);
    expect((await w.call({ connection: 'home' })).isError).not.toBe(true);
    expect(w.arrived()).toEqual([['home', {}]]);
    const decide = async (connection?: string) => {
      const about = { client: w.key.clientId, upstream: w.upstream, tool: 'echo' };
      const answer = await w.gatehouse.ask('policyDecide', { ...about, ...(connection ? { connection } : {}) });
      return answer.kind === 'done' ? answer.decision.effect : answer.message;
    };
    expect([await decide(), await decide('work'), await decide('home')]).toEqual(['deny', 'deny', 'allow']);
    expect(await decide('nobody')).toContain('no account "nobody"');
    // A label that nobody has is probably a slip.
    const rules = ['work', 'none', 'h?me', 'wrok'].map((connection) => ({
      name: connection,
      effect: 'deny',
      match: { connection },
    }));
    const linted = await w.gatehouse.ask('policyLint', { yaml: JSON.stringify({ ...ALLOW, rules }) });
    const said = linted.kind === 'done' ? linted.findings.map(({ message }) => message) : [];
    expect(said).toEqual(['There is no account "wrok" now.']);
    // It is not always denied, so it is listed and found.
    expect((await found(w)).tools[0]).toMatchObject({ tool: 'echo', decision: 'deny' });
  });

  test('the card shows the account; a standing approval of one account does not cover the other', async () => {
    const w = await both.anew(ASK);
    const first = w.call({ arguments: { n: 1 } });
    const card = await w.gatehouse.card();
    expect(card).toMatchObject({ upstream: 'github', connection: 'work', tool: 'echo' });
    await yes(w.gatehouse, card, 'tool');
    expect((await first).isError).not.toBe(true);
    expect((await w.call({ arguments: { n: 2 } })).isError).not.toBe(true);
    expect(await w.gatehouse.ask('standingList')).toMatchObject([{ connection: 'work', usedCount: 1 }]);

    const second = w.call({ arguments: { n: 2 }, connection: 'home' });
    const other = await w.gatehouse.card();
    expect(other.connection).toBe('home');
    await w.gatehouse.ask('approvalDeny', { approval: other.id, reason: '' });
    expect(classOf(await second)).toBe('approval_denied');
    expect(w.arrived()).toEqual([
      ['work', { n: 1 }],
      ['work', { n: 2 }],
    ]);
    const work = await account(w, 'work');
    await w.gatehouse.ask('connectionRename', { connection: work.id, label: 'job' });
    expect(await w.gatehouse.ask('standingList')).toMatchObject([{ connection: 'job' }]);
    await w.gatehouse.ask('connectionSignOut', { connection: work.id });
    expect(await w.gatehouse.ask('standingList')).toEqual([]);
  });

  test.each([
    ['signed out', 'connectionSignOut', {}, 'signed out'],
    ['removed', 'connectionRemove', {}, 'removed'],
    ['renamed', 'connectionRename', { label: 'job' }, 'renamed'],
  ] as const)(
    'an account that is %s while a call waits for the person: the card goes, nothing is sent',
    async (_how, act, more, said) => {
      const w = await both.anew(ASK);
      const waiting = w.call();
      const card = await w.gatehouse.card();
      const work = await account(w, 'work');
      expect(await w.gatehouse.ask(act, { connection: work.id, ...more } as never)).toMatchObject({ kind: 'done' });
      const refused = await waiting;
      expect(classOf(refused)).toBe('connection_changed');
      expect(textOf(refused)).toContain(said);
      expect(await yes(w.gatehouse, card)).toMatchObject({ kind: 'refused' });
      expect(await w.gatehouse.ask('approvalsList', { state: 'waiting' })).toEqual([]);
      expect(w.arrived()).toEqual([]);
    },
  );

  test('another default while a call waits: it refuses, and the same call made again is another account’s, asked anew', async () => {
    const w = await both.anew(ASK);
    const waiting = w.call({ arguments: { n: 1 } });
    await w.gatehouse.card();
    await w.gatehouse.ask('connectionDefault', { connection: (await account(w, 'home')).id });
    const refused = await waiting;
    expect(classOf(refused)).toBe('connection_changed');
    expect(textOf(refused)).toContain('is no longer the default one');
    const again = w.call({ arguments: { n: 1 } });
    const card = await w.gatehouse.card();
    expect(card.connection).toBe('home');
    await yes(w.gatehouse, card);
    await again;
    expect(w.arrived()).toEqual([['home', { n: 1 }]]);
  });

  test('a held result is given to the same call as the same account alone', async () => {
    const rule = { name: 'look', match: { tool: 'echo' }, holdResult: [{ always: true }] };
    const w = await both.anew({ defaultEffect: 'allow', rules: [rule] });
    await w.gatehouse.ask('clientSet', { client: w.key.clientId, holdMs: 0 });
    expect(classOf(await w.call())).toBe('approval_pending');
    expect(classOf(await w.call({ connection: 'home' }))).toBe('approval_pending');
    expect(classOf(await w.call({ connection: 'work' }))).toBe('approval_pending');
    expect(w.arrived().map(([who]) => who)).toEqual(['work', 'home']);
    const cards = await w.gatehouse.ask('approvalsList', { state: 'waiting' });
    expect(cards.map(({ connection }) => connection).toSorted()).toEqual(['home', 'work']);
  });

  test('a call of several rounds goes on as the account it began as, or not at all', async () => {
    const w = await both.anew();
    const question = {
      method: 'elicitation/create',
      params: { mode: 'form', message: 'Who?', requestedSchema: { type: 'object', properties: {} } },
    };
    const ask = (more: Json = {}, params: Json = {}) => {
      const args = { upstream: 'github', tool: 'ask_client', arguments: question, ...more };
      const capabilities = { 'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } } };
      const body = {
        name: 'call_external_tool',
        arguments: args,
        _meta: { ...MODERN_META, ...capabilities },
        ...params,
      };
      return w.gatehouse.post(
        w.key.secret,
        { jsonrpc: '2.0', id: 1, method: 'tools/call', params: body },
        {
          headers: {
            'mcp-protocol-version': '2026-07-28',
            'mcp-method': 'tools/call',
            'mcp-name': 'call_external_tool',
          },
        },
      );
    };
    const answers = (result: Result) => ({
      requestState: result.requestState,
      inputResponses: Object.fromEntries(
        Object.keys(result.inputRequests ?? {}).map((name) => [name, { action: 'accept', content: {} }]),
      ),
    });
    const begun = (await ask()).message?.result as Result;
    expect(begun.inputRequests).toBeDefined();
    expect((await ask({ connection: 'home' }, answers(begun))).message?.error).toMatchObject({ code: -32602 });
    const ended = (await ask({}, answers(begun))).message?.result as Result;
    expect(ended.isError).not.toBe(true);

    const second = (await ask()).message?.result as Result;
    await w.gatehouse.ask('connectionDefault', { connection: (await account(w, 'home')).id });
    expect(classOf((await ask({}, answers(second))).message?.result as Result)).toBe('connection_changed');
    expect(w.arrived().map(([who]) => who)).toEqual(['work', 'work']);
  });
});

test('call_external_tool and find_tools speak of accounts once there is a choice', async () => {
  await using w = await world({ accounts: ['work'] });
  await using peer = await connectPeer('legacy', w.gatehouse.core.endpoint, w.key.secret);
  const members = async () => {
    const { tools } = (await peer.request('tools/list')) as { tools: { name: string; inputSchema: Json }[] };
    return Object.keys(tools.find(({ name }) => name === 'call_external_tool')?.inputSchema.properties as Json);
  };
  expect(await members()).not.toContain('connection');
  expect(await found(w)).not.toHaveProperty('connections');
  const before = peer.heard.length;
  await w.connect('home');
  await eventually(() => (peer.heard.length > before ? true : null), 'list_changed');
  expect(await members()).toContain('connection');
  const github = [{ name: 'home' }, { name: 'work', default: true }];
  expect((await found(w)).connections).toEqual({ github: expect.arrayContaining(github) });
});

test.each(['legacy', 'modern'] as const)(
  'nobody is signed in: a %s client is told where; after the click its tools are there within a second of the review',
  async (era) => {
    const clock = fakeClock();
    await using w = await world({ accounts: [], clock });
    const link = `http://127.0.0.1:${w.gatehouse.port}/open/connections/github`;
    await using peer = await connectPeer(era, w.gatehouse.core.endpoint, w.key.secret);
    await w.gatehouse.ask('clientSet', { client: w.key.clientId, scopeTags: ['*'] });
    const listed = async () => {
      const { tools } = (await peer.request('tools/list')) as { tools: { name: string }[] };
      return tools.some(({ name }) => name === 'github__echo');
    };
    const notes = async () => (await found(w)).notes;
    await eventually(
      async () => ((await notes()).includes(`github: not connected. Visit ${link} to authorize.`) ? true : null),
      'not connected',
    );
    expect(await listed()).toBe(false);
    await peer.watchLists();

    const heard = () => peer.heard.filter(({ method }) => method === 'notifications/tools/list_changed').length;
    /** By the clock of Gatehouse: how busy this machine is, is no matter. */
    const toldWithinASecond = async (before: number, what: string) => {
      await clock.advance(1_000);
      await eventually(() => (heard() > before ? true : null), `list_changed after the ${what}`);
    };
    await clock.advance(1_000);
    const connected = heard();
    await w.connect('work');
    await eventually(
      async () => ((await notes()).some((note) => note.includes('first review')) ? true : null),
      'tools',
    );
    await toldWithinASecond(connected, 'sign-in');
    const reviewed = heard();
    await w.review();
    await toldWithinASecond(reviewed, 'review');
    expect(await listed()).toBe(true);
    expect((await peer.request('tools/call', { name: 'github__echo', arguments: { n: 1 } })).isError).not.toBe(true);
    expect(w.arrived()).toEqual([['work', { n: 1 }]]);
    expect(await notes()).toEqual([]);

    const { id } = await account(w, 'work');
    await w.gatehouse.ask('connectionSignOut', { connection: id });
    const refused = await through(w.gatehouse, w.key, 'github__echo', { n: 2 });
    expect(classOf(refused)).toBe('auth_required');
    expect(textOf(refused)).toContain(`auth_required: github not connected. Visit ${link} to authorize.`);
    expect(refused._meta?.['gatehouse/link']).toBe(link);
    const note = `not connected. Visit ${link} to authorize.`;
    expect((await found(w)).tools[0]).toMatchObject({ tool: 'echo', needs_sign_in: true, note });
    expect(w.arrived()).toHaveLength(1);
  },
);

test('a key that the upstream does not take is said to be so, of the account it is', async () => {
  const tokens = join(mkdtempSync(join(tmpdir(), 'gatehouse-test-')), 'tokens');
  writeFileSync(tokens, 'key-of-work\nkey-of-home\n');
  await using w = await world({ words: [`--tokens=${tokens}`] });
  writeFileSync(tokens, 'key-of-work\n');
  expect((await w.call()).isError).not.toBe(true);
  const refused = await w.call({ connection: 'home' });
  expect(refused._meta?.['gatehouse/code']).toBe(41019);
  expect(textOf(refused)).toContain('"home"');
  expect(refused._meta?.['gatehouse/link']).toBe(`http://127.0.0.1:${w.gatehouse.port}/open/connections/github`);
  // The other account is not touched by it, and the dead one is not tried again.
  expect((await w.call()).isError).not.toBe(true);
  const before = w.arrived().length;
  expect((await w.call({ connection: 'home' }))._meta?.['gatehouse/code']).toBe(41019);
  expect(w.arrived()).toHaveLength(before);
  expect((await found(w)).connections).toEqual({
    github: expect.arrayContaining([
      { name: 'work', default: true },
      { name: 'home', state: 'not connected' },
    ]),
  });
});
