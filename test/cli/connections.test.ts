import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RequestName } from '../../shared/api.ts';
import type { SignInView } from '../../shared/connections.ts';
import { aConnection, aSignIn, aTrace, connectSignIn, failSignIn, PRESETS } from '../support/fake-connections.ts';
import { aClient, anAddress, createFakeCore, type FakeCore, MCP_OAUTH, NEEDS_ACCOUNT } from '../support/fake-core.ts';
import { askedFor } from '../support/ui.ts';
import { type AppDouble, command, type RunningCommand, run, startAppDouble } from './control-double.ts';

const ANSWERED: readonly RequestName[] = [
  'upstreamsList',
  'upstreamSignIn',
  'clientsList',
  'presetsList',
  'connectionsList',
  'connectionRename',
  'connectionSignOut',
  'connectionRemove',
  'connectionDefault',
  'signInStart',
  'signInGet',
  'signInsList',
  'signInChoose',
  'signInClient',
  'signInConfirm',
  'signInCancel',
];

let core: FakeCore;
let app: AppDouble;
beforeEach(async () => {
  core = createFakeCore();
  core.state.upstreams.push(anAddress(NEEDS_ACCOUNT));
  const ask = (name: RequestName) => async (input: unknown) => {
    const answer = await core.api.request(name, input, { origin: 'cli', label: 'command line' });
    if (answer.kind !== 'answered') throw new Error(answer.message);
    return answer.result;
  };
  app = await startAppDouble(Object.fromEntries(ANSWERED.map((name) => [name, ask(name)])));
  core.subscribe(app.tell);
});
afterEach(() => app.close());

const connect = (...words: readonly string[]) => ['upstreams', 'connect', 'github', ...words];
const started = (running: RunningCommand, text: string) => expect.poll(() => running.out + running.err).toContain(text);
const change = (part: Partial<SignInView>) => {
  core.state.signIns = core.state.signIns.map((one, index) => (index === 0 ? { ...one, ...part } : one));
  core.tell('connections');
};

describe('upstreams connect', () => {
  test('says each step as it comes, prints the link alone on stdout, and ends when the account is connected', async () => {
    const startedAt = Date.now();
    core.state.nextSignIn = { state: 'working', link: null, steps: aTrace(startedAt).slice(0, 1) };
    const running = command(connect('--account', 'work'), app);
    await started(running, 'ok        challenge (401): The server wants an account');
    expect(running.out).toBe('');
    change({ state: 'waiting', link: 'https://github.com/login?x=1', steps: aTrace(startedAt) });
    await started(running, 'https://github.com/login?x=1');
    expect(running.out).toBe('https://github.com/login?x=1\n');
    expect(running.err.match(/The server wants an account/g)).toHaveLength(1);
    expect(running.err).toContain('skipped   server_metadata (404): There is none at the first place');
    connectSignIn(core.state, 's1');
    core.tell('connections');
    expect(await running.code).toBe(0);
    expect(running.err).toContain("github is connected as 'work'.");
    expect(running.out).toBe('https://github.com/login?x=1\n');
    expect(askedFor(core, 'signInStart')).toEqual([{ upstream: 'u1', label: 'work' }]);
  });

  test('an account that is there is signed in again, whatever its case', async () => {
    core.state.connections.push(aConnection({ state: 'reconnect' }));
    const running = command(connect('--account', 'WORK', '--json'), app);
    await started(running, 'https://github.com/login');
    expect(askedFor(core, 'signInStart')).toEqual([{ upstream: 'u1', connection: 'x1' }]);
    connectSignIn(core.state, 's1');
    core.tell('connections');
    expect(await running.code).toBe(0);
    expect(JSON.parse(running.out.split('\n')[1] ?? '')).toMatchObject({ state: 'connected', connectionId: 'x1' });
  });

  test('a failure names its code, why, what to do next and the command that does it, and is exit code 1', async () => {
    const running = command(connect(), app);
    await started(running, 'https://github.com/login');
    failSignIn(core.state, 's1', 'pkce_unsupported', 'It said \u001b[31m“no”.', {
      act: 'allow_no_pkce',
      text: 'If you trust the vendor, allow it.',
    });
    core.tell('connections');
    expect(await running.code).toBe(1);
    expect(running.err).toContain('Why:  pkce_unsupported: It said \\u{1b}[31m“no”.');
    expect(running.err).toContain('Next: If you trust the vendor, allow it.');
    expect(running.err).toContain('      gatehouse upstreams sign-in github --allow-no-pkce yes\n');
  });

  test('of several servers one is chosen by --server or its number, and none by itself', async () => {
    core.state.nextSignIn = {
      state: 'choose_server',
      link: null,
      servers: ['https://a.example', 'https://b.example/\u202e'],
    };
    const silent = await run(connect(), { folder: app.folder });
    expect(silent.code).toBe(1);
    expect(silent.err).toContain('  2  https://b.example/\\u{202e}');
    expect(silent.err).toContain('Choose one with --server URL.');
    expect(askedFor(core, 'signInChoose')).toEqual([]);
    expect(askedFor(core, 'signInCancel')).toEqual([{ signIn: 's1' }]);

    const named = command(connect('--server', 'https://a.example'), app);
    await started(named, 'https://github.com/login');
    const typed = command(connect(), { folder: app.folder, tty: true });
    await started(typed, 'Which one (its number)?');
    typed.stdin.write('2\n');
    await expect.poll(() => askedFor(core, 'signInChoose').length).toBe(2);
    expect(askedFor(core, 'signInChoose')).toEqual([
      { signIn: 's2', issuer: 'https://a.example' },
      { signIn: 's3', issuer: 'https://b.example/\u202e' },
    ]);
    for (const id of ['s2', 's3']) connectSignIn(core.state, id);
    core.tell('connections');
    expect([await named.code, await typed.code]).toEqual([0, 0]);
  });

  test('a client id is an option, its secret is read from stdin, and the redirect address is told', async () => {
    core.state.nextSignIn = { state: 'needs_client_id', link: null };
    const without = await run(connect(), { folder: app.folder });
    expect(without).toMatchObject({ code: 1, err: expect.stringContaining('Give it with --client-id ID.') });
    expect(without.err).toContain('http://127.0.0.1:43817/callback');
    const running = command(connect('--client-id', 'mine', '--client-secret'), {
      folder: app.folder,
      stdin: 'canary-secret\n',
    });
    await started(running, 'https://github.com/login');
    expect(askedFor(core, 'signInClient')).toEqual([{ signIn: 's2', clientId: 'mine', clientSecret: 'canary-secret' }]);
    expect(running.out + running.err).not.toContain('canary');
    connectSignIn(core.state, 's2');
    core.tell('connections');
    expect(await running.code).toBe(0);
  });

  test('more scopes than before are listed, and asked for only after a yes', async () => {
    core.state.connections.push(aConnection({ state: 'more_scopes' }));
    core.state.nextSignIn = {
      state: 'confirm_scopes',
      link: null,
      scopes: ['repo', 'admin:org'],
      newScopes: ['admin:org'],
    };
    const no = await run(connect('--account', 'work'), { folder: app.folder });
    expect(no).toMatchObject({ code: 1, err: expect.stringContaining('  + admin:org\n    repo\n') });
    expect(askedFor(core, 'signInConfirm')).toEqual([]);
    const yes = command(connect('--account', 'work', '--yes'), app);
    await started(yes, 'https://github.com/login');
    expect(askedFor(core, 'signInConfirm')).toEqual([{ signIn: 's2' }]);
    connectSignIn(core.state, 's2');
    core.tell('connections');
    expect(await yes.code).toBe(0);
  });

  test('an API key comes from stdin or a file, never from the command line, and is not said again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gh-key-'));
    const file = join(folder, 'key');
    writeFileSync(file, 'canary-file\n');
    core.state.upstreams = [
      anAddress({ signIn: { kind: 'api_key', place: { in: 'header', name: 'X-Key', prefix: '' } } }),
    ];
    const piped = await run(connect('--account', 'a'), { folder: app.folder, stdin: 'canary-stdin\n' });
    const filed = await run(connect('--account', 'b', '--secret-file', file), app);
    const none = await run(connect('--account', 'c'), app);
    const absent = await run(connect('--account', 'd', '--secret-file', join(folder, 'absent')), app);
    rmSync(folder, { recursive: true });
    expect([piped.code, filed.code, none.code, absent.code]).toEqual([0, 0, 1, 1]);
    expect(none.err).toContain('No value was given for the API key; nothing was changed. Write it on stdin');
    expect(absent.err).toContain('cannot be read (ENOENT)');
    expect(askedFor(core, 'signInStart')).toEqual([
      { upstream: 'u1', label: 'a', secret: 'canary-stdin' },
      { upstream: 'u1', label: 'b', secret: 'canary-file' },
    ]);
    for (const { out, err } of [piped, filed, none, absent]) expect(out + err).not.toContain('canary');
  });

  test('when Gatehouse goes away the wait ends and says so', async () => {
    const running = command(connect(), app);
    await started(running, 'https://github.com/login');
    await app.quit();
    expect(await running.code).toBe(1);
    expect(running.err).toContain('Gatehouse was closed, so the sign-in ended.');
  });
});

describe('upstreams trace', () => {
  test('lists every step with its request, what was read behind a margin, and how it ended', async () => {
    const steps = aTrace(Date.now()).slice(0, 1);
    core.state.signIns = [
      {
        ...aSignIn(),
        state: 'failed',
        steps: steps.map((step) => ({ ...step, outcome: 'failed', read: ['one\u001b[2J', 'Why:  fake'] })),
        code: 'issuer_mismatch',
        message: 'Somebody else answered.',
        next: { act: 'ask_vendor', text: 'Tell the vendor.' },
      },
    ];
    const { out, code } = await run(['upstreams', 'trace', 'github'], app);
    expect(code).toBe(0);
    expect(out.split('\n').slice(0, 1)[0]).toMatch(/^github as 'work', \d{4}-\d\d-\d\d .*: failed, issuer_mismatch$/);
    expect(out.split('\n').slice(1, -1)).toEqual([
      '',
      'FAILED    challenge (401): The server wants an account, and says where its description is.',
      '          POST https://api.githubcopilot.com/mcp/',
      '          | one\\u{1b}[2J',
      '          | Why:  fake',
      '',
      'Why:  issuer_mismatch: Somebody else answered.',
      'Next: Tell the vendor.',
      '      gatehouse upstreams trace github',
    ]);
    const json = await run(['upstreams', 'trace', 'github', '--account', 'Work', '--json'], app);
    expect(JSON.parse(json.out)).toMatchObject({ code: 'issuer_mismatch', label: 'work' });
  });

  test('where nobody signed in it says how to', async () => {
    const { code, err } = await run(['upstreams', 'trace', 'github'], app);
    expect(code).toBe(1);
    expect(err).toContain('To sign in: gatehouse upstreams connect github');
  });
});

describe('accounts', () => {
  beforeEach(() => {
    core.state.connections.push(
      aConnection(),
      aConnection({ id: 'x2', label: 'old', state: 'more_scopes', asksFor: ['repo', 'admin'], isDefault: false }),
    );
  });

  test('are listed with state, who gave them and what they want', async () => {
    const { out } = await run(['upstreams', 'accounts', 'github'], app);
    expect(out).toMatch(/^UPSTREAM +ACCOUNT +STATE +DEFAULT +GIVEN BY +SCOPES +RENEWAL +WHY\n/);
    expect(out).toMatch(
      /github +work +connected +yes +https:\/\/github.com\/login\/oauth +repo read:org gist +by itself/,
    );
    expect(out).toMatch(/github +old +more scopes: admin +-/);
  });

  test('are signed out, renamed, made the default and removed by their label', async () => {
    core.state.clients.push(aClient());
    const said = async (...words: readonly string[]) => {
      const { code, err } = await run(['upstreams', ...words], app);
      return [code, err];
    };
    expect(await said('rename-account', 'github', 'old', 'private')).toEqual([
      0,
      "'old' at github is called 'private' now.\n",
    ]);
    expect(await said('default-account', 'github', 'Private', '--client', 'claude-code')).toEqual([
      0,
      "Calls of claude-code that name no account of github use 'private'.\n",
    ]);
    expect(await said('default-account', 'github', 'private')).toEqual([
      0,
      "Calls that name no account of github use 'private'.\n",
    ]);
    expect(await said('disconnect', 'github')).toEqual([
      1,
      "gatehouse: github has several accounts; say which: 'work', 'private'.\n",
    ]);
    expect(await said('disconnect', 'github', '--account', 'wrok')).toEqual([
      1,
      "gatehouse: github has no account 'wrok'. Did you mean work?\n",
    ]);
    expect(await said('disconnect', 'github', '--account', 'work')).toEqual([0, "'work' at github is signed out.\n"]);
    expect(await said('disconnect', 'github', '--account', 'work', '--remove')).toEqual([
      0,
      "'work' at github is signed out and forgotten.\n",
    ]);
    expect(await said('disconnect', 'github')).toEqual([0, "'private' at github is signed out.\n"]);
    expect(askedFor(core, 'connectionDefault')).toEqual([
      { connection: 'x2', client: 'c1' },
      { connection: 'x2', client: null },
    ]);
  });
});

describe('upstreams sign-in', () => {
  const set = (...words: readonly string[]) => run(['upstreams', 'sign-in', 'github', ...words], app);

  test('shows the mode in the words of its options', async () => {
    const { out, code } = await set();
    expect(code).toBe(0);
    expect(out).toMatch(
      /mode +mcp-oauth\nclient-id +auto\nclient-secret +none\nscopes +auto\nserver +auto\nredirect +127/,
    );
  });

  test('changes what is named and leaves the rest, a kept secret included', async () => {
    const mine = { ...MCP_OAUTH, clientId: 'mine', clientSecret: true };
    core.state.upstreams = [anAddress({ signIn: mine })];
    expect((await set('--redirect', 'localhost:8765', '--scopes', 'a,b')).code).toBe(0);
    expect(askedFor(core, 'upstreamSignIn')).toEqual([
      {
        upstream: 'u1',
        signIn: { ...mine, scopes: ['a', 'b'], redirect: { host: 'localhost', port: 8765 } },
      },
    ]);
    await set('--allow-no-pkce', 'yes', '--scopes', 'auto', '--client-id', 'auto', '--forget-secret');
    expect(askedFor(core, 'upstreamSignIn').at(-1)).toMatchObject({
      signIn: { clientId: null, scopes: null, allowNoPkce: true },
      clientSecret: null,
    });
  });

  test('classic OAuth by a preset asks for its client, and the secret comes from stdin', async () => {
    core.state.presets = PRESETS;
    const missing = await set('--preset', 'github');
    expect(missing.err).toContain('register one at https://github.com/settings/developers');
    expect((await set('--preset', 'githab')).err).toContain('Did you mean GitHub? There are: GitHub, Notion.');
    const words = ['upstreams', 'sign-in', 'github', '--preset', 'github', '--client-id', 'x', '--client-secret'];
    const { code, out, err } = await run(words, { folder: app.folder, stdin: 'canary\n' });
    expect(code).toBe(0);
    expect(out + err).not.toContain('canary');
    expect(askedFor(core, 'upstreamSignIn')).toEqual([
      {
        upstream: 'u1',
        signIn: {
          kind: 'oauth',
          authorizeUrl: 'https://github.com/login/oauth/authorize',
          tokenUrl: 'https://github.com/login/oauth/access_token',
          revokeUrl: null,
          clientId: 'x',
          clientSecret: false,
          scopes: ['repo', 'read:org'],
          pkce: true,
          tokenAuth: 'post',
          redirect: { host: '127.0.0.1', port: null },
        },
        clientSecret: 'canary',
      },
    ]);
  });

  test.each<[readonly string[], object]>([
    [['--mode', 'api-key'], { kind: 'api_key', place: { in: 'header', name: 'Authorization', prefix: 'Bearer ' } }],
    [
      ['--mode', 'api-key', '--key-header', 'X-Api-Key'],
      { kind: 'api_key', place: { in: 'header', name: 'X-Api-Key', prefix: '' } },
    ],
    [['--mode', 'api-key', '--key-query', 'key'], { kind: 'api_key', place: { in: 'query', name: 'key' } }],
    [['--mode', 'api-key', '--key-env', 'TOKEN'], { kind: 'api_key', place: { in: 'environment', name: 'TOKEN' } }],
    [['--mode', 'none'], { kind: 'none' }],
    [
      ['--mode', 'client-credentials', '--client-id', 'x', '--token-auth', 'basic'],
      {
        kind: 'client_credentials',
        tokenUrl: null,
        clientId: 'x',
        clientSecret: false,
        scopes: [],
        tokenAuth: 'basic',
      },
    ],
  ])('%j sets that', async (words, signIn) => {
    expect((await set(...words)).code).toBe(0);
    expect(askedFor(core, 'upstreamSignIn')).toEqual([{ upstream: 'u1', signIn }]);
  });

  test.each<[readonly string[], string]>([
    [['--mode', 'oath'], "--mode is 'oath'; it must be none, api-key"],
    [['--key-header', 'X'], '--key-header goes with --mode api-key, and the mode is mcp-oauth.'],
    [['--mode', 'oauth'], 'Classic OAuth needs --authorize-url and --token-url, or --preset VENDOR.'],
    [['--mode', 'client-credentials'], 'give its id with --client-id ID'],
    [['--redirect', 'example.com:80'], 'give 127.0.0.1 or localhost'],
    [['--redirect', 'localhost:80'], 'a port from 1024 to 65535'],
    [['--allow-no-pkce', 'maybe'], 'it must be yes or no'],
    [['--mode', 'api-key', '--key-query', 'a', '--key-env', 'B'], 'Give one of --key-header'],
    [
      ['--mode', 'client-credentials', '--client-id', 'x', '--token-auth', 'magic'],
      '--token-auth must be auto, basic, post, none.',
    ],
  ])('%j is refused with a sentence, and nothing is changed', async (words, sentence) => {
    const { code, err } = await set(...words);
    expect(err).toContain(sentence);
    expect(code).toBe(1);
    expect(askedFor(core, 'upstreamSignIn')).toEqual([]);
  });
});
