import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { basename, join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { AUDIT_MIGRATIONS } from '../../electron/core/audit/schema.ts';
import { MIGRATIONS } from '../../electron/core/schema.ts';
import { eventually } from '../support/gatehouse.ts';
import {
  CLI,
  cli,
  environmentOf,
  type Headless,
  newBase,
  RECORDER,
  ran,
  type Said,
  startHeadless,
  startWords,
} from '../support/headless.ts';
import { withinASecond } from '../support/promptly.ts';
import { CAN_MOUNT, mountTmpfs, unmount } from '../support/tmpfs.ts';

/** Each sentence here is what a person reads; whoever changes one reads it aloud first. */
let base: string;
let env: Record<string, string>;
beforeAll(() => {
  base = newBase();
  env = environmentOf(base);
});
afterAll(() => {
  chmodSync(base, 0o700);
  rmSync(base, { recursive: true, force: true });
});

/** A Gatehouse that goes on while others are refused beside it. */
let running: Headless;
let key: string;
/** Two upstreams that are waited for 15 s, in which the other tests run. */
let slow: Promise<readonly Said[]>;
const add = (name: string, ...words: readonly string[]) => running.cli(['upstreams', 'add', name, '--', ...words]);
beforeAll(async () => {
  running = await startHeadless({ env: { GATEHOUSE_UNATTENDED: '1' } });
  key = await running.key('agent');
  slow = Promise.all([
    add('garbage', process.execPath, RECORDER, join(running.base, 'garbage.jsonl'), '--garbage-only'),
    add('mute', process.execPath, '-e', 'process.stdin.resume()'),
  ]);
});
afterAll(() => running[Symbol.asyncDispose]());

const IS_ROOT = process.getuid?.() === 0;
/** What makes a command run as a user who may not write everywhere, as root may. */
const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
const NEEDS_NOBODY = ['EACCES', 'EPERM'];
/** Not where the checkout lies in a home that only root may enter. */
const CAN_BE_NOBODY =
  !IS_ROOT || spawnSync('setpriv', [...NOBODY.slice(1), process.execPath, CLI, '--version']).status === 0;

const HEADLESS = 'Gatehouse runs headless: --headless was given.\n';
/** A start that fails: the line that says why it is headless, one sentence, exit code 1, nothing on stdout. */
const fails = (sentence: string): Said => ({ code: 1, stdout: '', stderr: `${HEADLESS}gatehouse: ${sentence}\n` });
/** A command that fails: one sentence, exit code 1, nothing on stdout. */
const refuses = (sentence: string): Said => ({ code: 1, stdout: '', stderr: `gatehouse: ${sentence}\n` });
const start = (folder: string, port = 0, more: Readonly<Record<string, string>> = {}) =>
  ran(startWords(folder, port), { ...env, ...more });
const gatehouse = (words: readonly string[], folder = join(base, 'usual'), stdin = '') =>
  cli(folder, env, words, stdin);

describe('a start that cannot be', () => {
  let blocker: Server;
  let port: number;
  beforeAll(async () => {
    blocker = createServer();
    await new Promise<void>((done) => blocker.listen(0, '127.0.0.1', () => done()));
    const address = blocker.address();
    port = typeof address === 'object' && address !== null ? address.port : 0;
  });
  afterAll(() => blocker.close());

  test('a taken port: by which process, and the next free one, which then works', async () => {
    const said = await start(join(base, 'port'), port);
    const free = Number(/--port (\d+)\.\n$/.exec(said.stderr)?.[1]);
    const program = readFileSync('/proc/self/cmdline', 'utf8')
      .split('\0')
      .filter((word, n) => n === 0 || !word.startsWith('-'));
    const name = program
      .slice(0, 2)
      .map((word) => basename(word))
      .join(' ')
      .trim();
    expect(said).toEqual(
      fails(`Port ${port} is taken by ${name} (process ${process.pid}). End it, or start with --port ${free}.`),
    );
    expect(free).toBeGreaterThan(port);
    await using taken = await startHeadless({ base, folder: join(base, 'port'), port: free });
    expect(new URL(taken.endpoint).port).toBe(String(free));
  });

  /** A folder of somebody else: for root, who may write everywhere, it is root's own, seen by another user. */
  const foreign = () => (IS_ROOT ? join(base, 'foreign') : '/usr');
  test.each(
    [
      [
        'EACCES',
        () => join(base, 'locked/data'),
        'your user may not write there (EACCES). Make it writable for your user',
      ],
      ['EPERM', foreign, "it is not your user's (EPERM). Make it your user's"],
      ['a file in its place', () => join(base, 'file'), 'a file is in its place (EEXIST). Move that file away'],
      ['a file above it', () => join(base, 'file/data'), 'a file is in its place (ENOTDIR). Move that file away'],
      ['EROFS', () => join(base, 'read-only'), 'it can only be read (EROFS). Make it writable for your user'],
    ].filter(([what]) => (what === 'EROFS' ? CAN_MOUNT : CAN_BE_NOBODY || !NEEDS_NOBODY.includes(String(what)))) as [
      string,
      () => string,
      string,
    ][],
  )('a data folder that cannot be written (%s) says why and what to do', async (what, where, why) => {
    const folder = where();
    for (const name of ['locked', 'foreign', 'read-only'])
      mkdirSync(join(base, name), { recursive: true, mode: 0o755 });
    writeFileSync(join(base, 'file'), '');
    chmodSync(join(base, 'locked'), 0o555);
    chmodSync(base, 0o711);
    if (what === 'EROFS') {
      mountTmpfs(folder, 'ro');
      onTestFinished(() => unmount(folder));
    }
    const user = IS_ROOT && NEEDS_NOBODY.includes(what) ? NOBODY : [];
    const sentence = `The data folder ${folder} cannot be used: ${why}, or start with another --data folder.`;
    expect(await ran([...user, ...startWords(folder)], env)).toEqual(fails(sentence));
    const command = [...user, process.execPath, CLI, 'keys', 'list', '--data', folder];
    expect(await ran(command, env)).toEqual(refuses(sentence));
  });

  test('a folder in which nothing can be made is refused and does not hang', { timeout: 5_000 }, async () => {
    expect(await start('/proc/nowhere')).toEqual(
      fails(
        'The data folder /proc/nowhere cannot be used: it cannot be made there (ENOENT). Make it yourself, or start with another --data folder.',
      ),
    );
  });

  test('a missing environment variable is named', async () => {
    const names = 'names the environment variable NO_SUCH_NAME, which is not set; set it or write the path out.';
    const path = `\${NO_SUCH_NAME}/x`;
    expect(await gatehouse(['status'], path)).toEqual(refuses(`--data ${names}`));
    expect(await ran([process.execPath, CLI, 'status'], { ...env, GATEHOUSE_DATA: path })).toEqual(
      refuses(`GATEHOUSE_DATA ${names}`),
    );
    expect(await start(join(base, 'usual'), 0, { GATEHOUSE_MASTER_KEY_FILE: path })).toEqual(
      fails(`GATEHOUSE_MASTER_KEY_FILE ${names}`),
    );
    // Nothing was made under the name as it stands.
    expect(
      [base, env.HOME ?? ''].flatMap((folder) => readdirSync(folder)).filter((name) => name.includes('$')),
    ).toEqual([]);
  });

  test.each([
    ['is a folder', 'tmp', 'is not a file. Name a file.'],
    [
      'lies in a folder that is not there',
      'no/such',
      'cannot be made (ENOENT). Make its folder, or name another file.',
    ],
    ['others can read', 'open-key', 'can be read by others, so it is not used. Run chmod 600 on it.'],
    [
      'holds no key',
      'empty-key',
      'does not hold a key: 32 bytes in base64 or hex. If there is nothing to lose, remove it and a new one is made.',
    ],
  ])(
    'a master key file that %s: named with its variable, secrets are refused, the rest runs',
    async (_what, name, why) => {
      writeFileSync(join(base, 'open-key'), 'A'.repeat(64), { mode: 0o644 });
      writeFileSync(join(base, 'empty-key'), '', { mode: 0o600 });
      const file = join(base, name);
      const sentence = `The master key file ${file} (GATEHOUSE_MASTER_KEY_FILE) ${why}`;
      await using running = await startHeadless({
        base,
        folder: join(base, `keyless-${name.replace('/', '-')}`),
        env: { GATEHOUSE_MASTER_KEY_FILE: file },
      });
      expect(running.said().stderr).toContain(`! ${sentence}\n`);
      expect((await running.ask('status')).banners).toEqual([sentence]);
      await expect(running.add('x', { args: [RECORDER], secrets: { TOKEN: 'v' } })).rejects.toThrow(sentence);
      const key = await running.key('agent');
      expect((await running.call(key, 'demo__list_notes')).message?.result).not.toHaveProperty('isError');
    },
  );

  test.each([
    ['state.db', MIGRATIONS],
    ['audit.db', AUDIT_MIGRATIONS],
  ])('%s of a newer version is left as it is', async (name, migrations) => {
    const folder = join(base, `newer-${name}`);
    mkdirSync(folder);
    new Database(join(folder, name)).exec('PRAGMA user_version = 999; CREATE TABLE future (x)').close();
    const sentence = `${name} was written by a newer version of Gatehouse (schema 999); this version knows ${migrations.at(-1)?.version}. Update Gatehouse, or start with another --data folder.`;
    expect(await start(folder)).toEqual(fails(sentence));
    expect(await gatehouse(['keys', 'list'], folder)).toEqual(refuses(sentence));
    const left = new Database(join(folder, name), { readonly: true });
    expect(left.prepare('SELECT name FROM sqlite_schema').pluck().all()).toEqual(['future']);
    left.close();
  });

  test('a database with our number and tables of another make is not touched', async () => {
    const folder = join(base, 'foreign-schema');
    mkdirSync(folder);
    const path = join(folder, 'state.db');
    new Database(path).exec('PRAGMA user_version = 1; CREATE TABLE workspaces (id TEXT)').close();
    expect(await start(folder)).toEqual(
      fails(
        `${path} is not as this version of Gatehouse makes it (it has no workspaces.slug). Move it away and start again, or start with another --data folder.`,
      ),
    );
    expect(readdirSync(folder).filter((name) => name.includes('broken'))).toEqual([]);
  });

  test.each([
    [['start', '--headles'], "There is no option '--headles'. Did you mean --headless?"],
    [['start', '--prot', '1'], "There is no option '--prot'. Did you mean --port?"],
    [['start', '--port', '80000'], "--port is '80000'; it must be a number from 0 (any free port) to 65535."],
    [['strat'], "There is no command 'strat'. Did you mean start?"],
    [['--verison'], "There is no option '--verison'. Did you mean --version?"],
    [['keys', 'crate'], "There is no command 'keys crate'. Did you mean keys create?"],
    [['keys', 'create', '--nmae', 'x'], "There is no option '--nmae'. Did you mean --name?"],
    [['keys', 'create', '--name'], '--name needs a value: --name NAME.'],
    [['keys', 'create', '--name', 'x', '--role', 'boss'], "There is no role 'boss'; use executor, reader, admin."],
    [['keys', 'create', '--name', 'x', '--expires', '5y'], "'5y' is not a time span; write 90d, 12h or 30m."],
  ])('%j: the slip is named, with the nearest match', async (words, sentence) => {
    expect(await ran([process.execPath, CLI, ...words], env)).toEqual(refuses(sentence));
  });
});

describe('a database that is broken', () => {
  test('is set aside byte for byte, never deleted, and said until it is moved away; Gatehouse runs', async () => {
    const folder = join(base, 'broken');
    expect((await gatehouse(['keys', 'create', '--name', 'x'], folder)).code).toBe(0);
    const broken = new Map<string, Buffer>();
    for (const name of ['state.db', 'audit.db']) {
      const whole = new Database(join(folder, name));
      whole.pragma('wal_checkpoint(TRUNCATE)');
      whole.close();
      const bytes = readFileSync(join(folder, name));
      // 4 KB in the middle, as a dying disk leaves them (O12).
      bytes.fill(0x5a, 8192, 8192 + 4096);
      writeFileSync(join(folder, name), bytes);
      broken.set(name, bytes);
    }
    // A command nobody looks at comes first: its note alone would be lost.
    expect((await gatehouse(['keys', 'list'], folder)).code).toBe(0);

    const kept = (name: string) =>
      readdirSync(folder).filter((each) => each.startsWith(`${name}.broken-`) && !/-(wal|shm)$/.test(each));
    expect([kept('state.db'), kept('audit.db')].map((all) => all.length)).toEqual([1, 1]);
    for (const [name, bytes] of broken)
      expect(readFileSync(join(folder, kept(name)[0] ?? '')).equals(bytes)).toBe(true);
    const notes = [
      `The settings database was broken and is kept as ${join(folder, kept('state.db')[0] ?? '')}. Gatehouse started with empty settings; restore your copy or set it up again. This note stays until you move that file away.`,
      `The audit log was broken and is kept as ${join(folder, kept('audit.db')[0] ?? '')}. A new log was started and names the old one. This note stays until you move that file away.`,
    ];
    for (let round = 0; round < 2; round += 1) {
      await using running = await startHeadless({ base, folder });
      for (const note of notes) expect(running.said().stderr).toContain(`! ${note}\n`);
      expect((await running.ask('status')).banners).toEqual(notes);
      const key = await running.key(`agent-${round}`);
      expect((await running.call(key, 'demo__list_notes')).message?.result).not.toHaveProperty('isError');
      const first = (await running.audit()).find(({ kind }) => kind === 'chain_started');
      expect(first?.detail).toMatchObject({ why: 'the log before it was damaged' });
      expect((await running.cli(['audit', 'verify'])).code).toBe(0);
    }
    for (const name of readdirSync(folder)) if (name.includes('broken')) rmSync(join(folder, name));
    expect((await gatehouse(['status'], folder)).stdout).not.toContain('!');
  });
});

describe('a policy that is not good', () => {
  test.each([
    ['rules:\n  - name: a\n   effect: allow\n', 3, 1, 'The YAML cannot be read: Sequence item without - indicator.'],
    [
      'defaultEffect: deny\nrules:\n  - name: a\n    efect: allow\n    match: {}\n',
      4,
      5,
      '"efect" is not a member of a rule; did you mean "effect"?',
    ],
    [
      'defaultEffect: deny\nrules:\n  - name: a\n    effect: alow\n    match: {}\n',
      4,
      13,
      'rules[0].effect must be allow, deny or require_approval, not "alow"; did you mean "allow"?',
    ],
  ])('%j is refused with its line and column, and the old policy stays', async (yaml, line, column, message) => {
    const folder = join(base, 'policy');
    const file = join(base, 'bad.yaml');
    writeFileSync(file, yaml);
    const before = await gatehouse(['policy', 'export'], folder);
    expect(await gatehouse(['policy', 'import', file], folder)).toEqual(
      refuses(`${message} (line ${line}, column ${column})`),
    );
    const linted = await ran([process.execPath, CLI, 'policy', 'lint', file], env);
    expect(linted).toMatchObject({ code: 1, stdout: '' });
    // It says everything that is wrong, not the first thing alone.
    expect(linted.stderr.split('\n')).toContain(`${file}:${line}:${column}: error: ${message}`);
    expect(await gatehouse(['policy', 'export'], folder)).toEqual(before);
  });

  test('a file that is not there is said to be so', async () => {
    const file = join(base, 'none.yaml');
    expect(await gatehouse(['policy', 'import', file])).toEqual(
      refuses(`${file} cannot be read: there is no such file or folder.`),
    );
  });
});

describe('an upstream that is none', () => {
  const reasonOf = async (name: string) =>
    (await running.ask('upstreamsList')).find((one) => one.name === name)?.reason ?? null;
  async function othersAnswer(): Promise<void> {
    const answer = await withinASecond(() => running.call(key, 'demo__list_notes'));
    expect(answer.message?.result).toHaveProperty('structuredContent');
  }

  test('one whose command does not exist: said at once, with what to do', async () => {
    const said = await add('missing', 'no-such-program', '--flag');
    expect(said).toMatchObject({ code: 1, stdout: '' });
    expect(said.stderr).toMatch(
      /^gatehouse: The upstream missing is added, but it does not run: missing cannot be started\. The command no-such-program was not found \(looked in [^)]+\)\. Install the program or correct the command, then refresh missing\.\n$/,
    );
    const refreshed = await running.cli(['upstreams', 'refresh', 'missing']);
    expect(refreshed).toMatchObject({ code: 1, stdout: '' });
    expect(refreshed.stderr).toMatch(/^gatehouse: missing cannot be started\. [^\n]+\n$/);
    expect((await add('absent', '/no/such/program')).stderr).toContain(
      'The command /no/such/program does not exist or may not be executed. Install the program or correct the command',
    );
    await othersAnswer();
  });

  test('one that exits at once: its exit code, where to read on, and five starts at most', async () => {
    const said = await add('exits', process.execPath, '-e', 'console.error("no TOKEN was given"); process.exit(3)');
    expect(said).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'gatehouse: The upstream exits is added, but it does not run: exits ended with exit code 3 before it could be used. The last lines it wrote say more. To read them: gatehouse upstreams logs exits\n',
    });
    // Once for each era that was tried.
    const log = await running.cli(['upstreams', 'logs', 'exits']);
    expect([log.code, [...new Set(log.stdout.trim().split('\n'))]]).toEqual([0, ['no TOKEN was given']]);
    await othersAnswer();
    const final =
      'exits ended with exit code 3 before it could be used. The last lines it wrote say more. It is not started again by itself; restart it to try once more.';
    await eventually(async () => ((await reasonOf('exits')) === final ? true : null), final, 15_000);
  });

  test.each([
    [['x', '--url', 'ftp://x'], "--url is 'ftp://x'; it must be a whole address that begins with http:// or https://."],
    [
      ['x', '--env', 'A B', '--', 'node'],
      "'A B' is no name of an environment entry; use letters, digits and _, not a digit first.",
    ],
    [
      ['x', '--url', 'http://127.0.0.1:9/mcp', '--header', 'A B'],
      "'A B' is no name of a header; use letters, digits and -.",
    ],
    [
      ['x', '--env', 'TOKEN', '--', 'node'],
      'No value was given for TOKEN; nothing was added. Write it on stdin, one line for each name, in their order.',
    ],
    [
      ['x', '--env', 'NODE_OPTIONS', '--', 'node'],
      'NODE_OPTIONS decides which code a program runs and cannot be set for an upstream.',
      'v\n',
    ],
    [
      ['demo', '--', 'node'],
      'There is already an upstream "demo" in Personal. Choose another name, or remove that one first.',
    ],
  ])('upstreams add %j is refused in one sentence', async (words, sentence, stdin = '') => {
    expect(await running.cli(['upstreams', 'add', ...words], stdin)).toEqual(refuses(sentence));
    expect((await running.ask('upstreamsList')).map(({ name }) => name)).not.toContain('x');
  });

  test('ones that print garbage, or never answer: what they do and for how long it was waited', async () => {
    const added = await slow;
    expect(added.map(({ code, stderr }) => [code, stderr])).toEqual(
      ['garbage', 'mute'].map((name) => [
        0,
        `The upstream ${name} is added and starting. Its tools wait for your review: gatehouse upstreams review ${name}\n`,
      ]),
    );
    await othersAnswer();
    const reasons = await eventually(
      async () => {
        const all = await running.ask('upstreamsList');
        const found = ['garbage', 'mute'].map((name) => all.find((one) => one.name === name));
        return found.every((one) => one?.status === 'failed') ? found.map((one) => String(one?.reason)) : null;
      },
      'both to be given up',
      20_000,
    );
    // On a slow machine all of its starts may be over by now, and it says that too.
    expect(reasons.map((reason) => reason?.replace(/ It is not started again by itself; .*$/, ''))).toEqual([
      'garbage prints text that is no MCP message and did not answer within 15 s.',
      'mute was started, but did not answer within 15 s.',
    ]);
    const { stdout } = await running.cli(['upstreams', 'list']);
    for (const reason of reasons) expect(stdout).toContain(reason);
    await othersAnswer();
  });
});
