import { mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Program, program, ROOT, ran } from './program.ts';

const START = join(ROOT, 'scripts/start.mjs');
const GATEHOUSE = join(ROOT, 'bin/gatehouse');

let folder: string;
let programs: Program[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gh-start-'));
  programs = [];
});
afterEach(async () => {
  for (const { child, ended } of programs) {
    child.kill('SIGKILL');
    await ended;
  }
  rmSync(folder, { recursive: true, force: true });
});

function start(...options: string[]): Program {
  const env = { DISPLAY: undefined, WAYLAND_DISPLAY: undefined, GATEHOUSE_DATA: join(folder, 'data') };
  const started = program(process.execPath, [START, ...options], { env });
  programs.push(started);
  return started;
}

const gatehouse = (...argv: string[]) =>
  ran(GATEHOUSE, argv, { env: { GATEHOUSE_DATA: join(folder, 'data') }, cwd: folder });

/** A signed-in dashboard tab with its live stream open, which makes it somebody who can confirm. */
async function signIn(link: string) {
  const { origin, hash } = new URL(link);
  const headers = { 'content-type': 'application/json', origin };
  const signedIn = await fetch(`${origin}/sign-in`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ token: hash.replace('#sign-in=', '') }),
  });
  const { token } = (await signedIn.json()) as { token: string };
  const cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? '';
  const tab = { ...headers, cookie, authorization: `Bearer ${token}` };
  const leaving = new AbortController();
  const stream = await fetch(`${origin}/api/stream`, { headers: tab, signal: leaving.signal });
  expect(stream.status).toBe(200);
  return {
    async request(name: string, input: object): Promise<unknown> {
      const answer = await fetch(`${origin}/api/${name}`, {
        method: 'POST',
        headers: tab,
        body: JSON.stringify(input),
      });
      return ((await answer.json()) as { result: unknown }).result;
    },
    leave: () => leaving.abort(),
  };
}

interface Ready {
  readonly endpoint: string;
  readonly dashboard: string;
  readonly health: string;
  readonly pid: number;
}

async function ready(): Promise<Ready & { readonly program: Program }> {
  const started = start('--headless', '--port', '0', '--json');
  return { ...(JSON.parse(await started.firstLine) as Ready), program: started };
}

describe('npm start', () => {
  test('says in one JSON line where it is, and is there', async () => {
    const began = performance.now();
    const { endpoint, dashboard, health, pid, program } = await ready();
    const took = performance.now() - began;
    expect(endpoint).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/mcp$/);
    expect(dashboard).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/#/);
    expect(await (await fetch(health)).json()).toEqual({ status: 'ok' });
    expect((await fetch(endpoint, { method: 'POST' })).status).toBe(401);
    expect(() => process.kill(pid, 0)).not.toThrow();
    expect(program.out.trim().split('\n')).toHaveLength(1);
    expect(program.err).toContain('Gatehouse runs headless: --headless was given.');
    // The order asks for 3 s; a machine that runs all tests at once gets more.
    expect(took).toBeLessThan(15_000);
  });

  test.each(['SIGTERM', 'SIGINT'] as const)(
    'closes cleanly at %s: exit code 0, port, socket and lock gone',
    async (signal) => {
      const { health, program } = await ready();
      program.child.kill(signal);
      expect(await program.ended).toEqual({ code: 0, signal: null });
      await expect(fetch(health)).rejects.toThrow();
      expect(statSync(join(folder, 'data/control.sock'), { throwIfNoEntry: false })).toBeUndefined();
      expect((await gatehouse('audit', 'verify')).code).toBe(0);
    },
  );

  test('ends with npm, when npm is told to end', async () => {
    const npm = program('npm', ['start', '-s', '--', '--headless', '--port', '0', '--json'], {
      env: { GATEHOUSE_DATA: join(folder, 'data') },
    });
    programs.push(npm);
    const { health } = JSON.parse(await npm.firstLine) as Ready;
    npm.child.kill('SIGTERM');
    await expect
      .poll(
        () =>
          fetch(health).then(
            () => 'still there',
            () => 'gone',
          ),
        { timeout: 10_000 },
      )
      .toBe('gone');
    expect((await gatehouse('audit', 'verify')).code).toBe(0);
  });

  test('without a desktop says why it runs headless, and prints the lines to paste', async () => {
    const started = start('--port', '0');
    await expect.poll(() => started.out, { timeout: 20_000 }).toContain('mcpServers');
    expect(started.out).toContain(
      'Gatehouse runs headless: there is no desktop session (neither DISPLAY nor WAYLAND_DISPLAY is set).',
    );
    for (const text of ['claude mcp add', 'codex mcp add', 'gemini mcp add', 'MCP endpoint', 'Dashboard']) {
      expect(started.out).toContain(text);
    }
  });

  test('on a port that is taken says by what and what to do, with exit code 1', async () => {
    const blocker = createServer();
    await new Promise<void>((done) => blocker.listen(0, '127.0.0.1', () => done()));
    const address = blocker.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const started = start('--headless', '--port', String(port));
    expect((await started.ended).code).toBe(1);
    expect(started.err).toContain(`Port ${port} is taken by`);
    expect(started.err).not.toContain('    at ');
    blocker.close();
  });

  test('a second time with the same data folder says that it runs already, and where', async () => {
    const first = await ready();
    const second = start('--headless', '--port', '0');
    expect((await second.ended).code).toBe(1);
    expect(second.err).toContain(`already runs with the data folder ${join(folder, 'data')} (process ${first.pid})`);
  });

  test.each([
    [['--headles'], "There is no option '--headles'. Did you mean --headless?"],
    [['--port', 'http'], "--port is 'http'; it must be a number from 0 (any free port) to 65535."],
    [['--port', '65536'], "--port is '65536'; it must be a number from 0 (any free port) to 65535."],
    [
      ['--data', `\${NO_SUCH_NAME}/x`],
      '--data names the environment variable NO_SUCH_NAME, which is not set; set it or write the path out.',
    ],
    [['now'], "'start' does not know what to do with 'now'."],
  ])('%j is one sentence and exit code 1', async (options, message) => {
    const started = start(...options);
    expect((await started.ended).code).toBe(1);
    expect(started.err).toBe(`gatehouse: ${message}\n`);
    expect(started.out).toBe('');
  });

  test('with a data folder that cannot be made says so in one sentence', async () => {
    const started = start('--headless', '--data', '/dev/null/gatehouse');
    expect((await started.ended).code).toBe(1);
    expect(started.err).toContain('/dev/null/gatehouse');
    expect(started.err).not.toContain('    at ');
  });
});

describe('npm run setup', () => {
  test('does nothing a second time', async () => {
    await ran(process.execPath, [join(ROOT, 'scripts/setup.mjs')]);
    expect(await ran(process.execPath, [join(ROOT, 'scripts/setup.mjs')])).toEqual({
      code: 0,
      out: '',
      err: 'Everything is set up.\n',
    });
  });
});

describe('bin/gatehouse', () => {
  test('works while no app runs, opening the data folder itself', async () => {
    const made = await gatehouse('keys', 'create', '--role', 'executor', '--name', 'my-agent');
    expect(made.code).toBe(0);
    expect(made.out).toMatch(/^gh_\S+\n$/);
    const listed = await gatehouse('keys', 'list');
    expect(listed.out).toContain('my-agent');
    expect(listed.out).not.toContain(made.out.trim());
    expect((await gatehouse('status')).out).toContain('is not running');
  });

  test('talks to the running app, which takes a key made before at once', async () => {
    const key = (await gatehouse('keys', 'create', '--role', 'admin', '--name', 'looker')).out.trim();
    const { health } = await ready();
    expect((await gatehouse('status')).out).toContain('is running (headless)');
    const detailed = await (await fetch(health, { headers: { authorization: `Bearer ${key}` } })).json();
    expect(detailed).toHaveProperty('version');
    const revoked = await gatehouse('keys', 'revoke', key.slice(0, (await shownPrefix()).length));
    expect(revoked.err).toContain('is revoked');
  });

  async function shownPrefix(): Promise<string> {
    return JSON.parse((await gatehouse('keys', 'list', '--json')).out)[0].prefix;
  }

  test('makes no key in a running app that nobody can confirm, and says what to do', async () => {
    await ready();
    const refused = await gatehouse('keys', 'create', '--name', 'sneaky');
    expect(refused).toMatchObject({ code: 1, out: '' });
    expect(refused.err).toContain('Nobody can confirm it now');
    expect((await gatehouse('keys', 'list', '--json')).out).toBe('[]\n');
  });

  test('makes a key in a running app when the person confirms it in the dashboard, and says so while it waits', async () => {
    const { dashboard } = await ready();
    const person = await signIn(dashboard);
    const making = program(GATEHOUSE, ['keys', 'create', '--name', 'my-agent'], {
      env: { GATEHOUSE_DATA: join(folder, 'data') },
    });
    programs.push(making);
    await expect.poll(() => making.err, { timeout: 20_000 }).toContain('Waiting for you to confirm in the dashboard: ');
    expect(making.out).toBe('');

    const waiting = (await person.request('confirmationsList', {})) as { id: string; requestedBy: string }[];
    expect(waiting.map(({ requestedBy }) => requestedBy)).toEqual(['command line']);
    await person.request('confirmationAnswer', { confirmation: waiting[0]?.id, answer: 'confirm' });
    expect((await making.ended).code).toBe(0);
    expect(making.out).toMatch(/^gh_\S+\n$/);
    person.leave();
  });

  test('works through a link, from any folder', async () => {
    symlinkSync(GATEHOUSE, join(folder, 'gh'));
    const { code, out } = await ran(join(folder, 'gh'), ['help', 'keys', 'create'], { cwd: '/' });
    expect(code).toBe(0);
    expect(out).toContain('gatehouse keys create [options]');
  });

  test('hands `start` to npm start', async () => {
    const started = await ran(GATEHOUSE, ['start', '--prot', '1'], { cwd: folder });
    expect(started).toMatchObject({ code: 1, err: "gatehouse: There is no option '--prot'. Did you mean --port?\n" });
  });
});
