import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createApi, type Handlers } from '../../electron/core/api.ts';
import { connectControl } from '../../electron/core/control/client.ts';
import { serveControl } from '../../electron/core/control/server.ts';
import { openLog } from '../../electron/core/diagnosis/log.ts';
import { type HttpParts, listen } from '../../electron/core/gateway/http.ts';
import { ROUTES } from '../../electron/core/gateway/routes.ts';
import { systemClock } from '../../electron/core/platform.ts';
import { startDashboard } from '../../electron/dashboard/server.ts';
import { API, type RequestName } from '../../shared/api.ts';
import { formsIn, newCanary, newSecret, watchedSecrets } from '../support/canary.ts';
import { createFakeCore } from '../support/fake-core.ts';
import { eventually, PERSON, startGatehouse } from '../support/gatehouse.ts';
import { openLegacySession } from '../support/legacy-session.ts';
import { createMemoryKeychain } from '../support/memory-keychain.ts';
import { openTarget } from '../support/target.ts';
import { followAsBrowser } from '../support/vendors/browser.ts';
import { startVendor } from '../support/vendors/vendor.ts';

const CANARY = newCanary('bug');
/** A bug whose words have everything that must not get out. */
function bug(): never {
  throw new Error(`${CANARY} in ${homedir()}/notes.txt: SELECT * FROM secrets`);
}
/** Whatever is asked of it is a bug; only who wants to be told of something is heard. */
const broken = <T extends object>(): T =>
  new Proxy({} as T, { get: (_, name) => (String(name).startsWith('on') ? () => () => {} : bug) });

/** Nothing of a bug: not its words, no place in the code, no path of this machine. */
function saysNothingOf(text: string, where: string): void {
  expect(formsIn(Buffer.from(text), CANARY), where).toEqual([]);
  expect(text, where).not.toMatch(
    /\n?\s+at .+:\d+:\d+|\.ts:\d+|node:internal|SQLITE|SqliteError|no such (table|column)|SELECT /,
  );
  for (const path of [homedir(), tmpdir(), import.meta.dirname])
    expect(text.includes(`${path}/`), `${where}: ${path}`).toBe(false);
}

function newLog() {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-n8-'));
  const log = openLog({ folder, clock: systemClock });
  onTestFinished(() => {
    log.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { log, folder, written: () => readFileSync(log.path, 'utf8') };
}

describe('N8 a 500 in each route', () => {
  test('N8 of the gateway: a generic message with the id that finds it in the log', async () => {
    const { log, written } = newLog();
    const parts: HttpParts = {
      clients: broken(),
      sessions: broken(),
      stateless: broken(),
      rejections: broken(),
      signIn: broken(),
      health: bug,
      open: { dashboardUrl: bug, focus: bug },
      clock: systemClock,
      log,
    };
    const listening = await listen(parts, 0);
    if (listening.kind !== 'listening') throw new Error(listening.kind);
    onTestFinished(() => listening.gateway.close());
    const origin = `http://127.0.0.1:${listening.gateway.port}`;
    const filled = (pattern: string) =>
      pattern
        .replace(':workspace', 'w')
        .replace(':upstream', 'u')
        .replace(':page', 'tools')
        .replace(':uid', 'u'.repeat(43))
        .replace('*', 'x');
    const asked = [
      ...ROUTES.flatMap(({ pattern, methods }) => methods.map((method) => [method, filled(pattern)] as const)),
      ['POST', '/nowhere'] as const,
    ];
    let failed = 0;
    for (const [method, path] of asked) {
      const type = /token|revoke/.test(path) ? 'application/x-www-form-urlencoded' : 'application/json';
      const headers = { authorization: 'Bearer gh_x', 'content-type': type };
      const answer = await fetch(origin + path, { method, headers, ...(method === 'POST' ? { body: '{}' } : {}) });
      const text = await answer.text();
      const head = [...answer.headers].join('\n');
      saysNothingOf(head + text, `${method} ${path}`);
      if (answer.status !== 500) {
        // Nothing of ours is asked before these answers, so nothing can fail.
        if (path === '/oauth/waiting.js') expect(answer.status).toBe(200);
        else {
          expect([answer.status, path]).toEqual([
            404,
            expect.stringMatching(
              /^\/(\.well-known\/(oauth-protected-resource\/)?x|oauth\/callback|register|open\/x)$/,
            ),
          ]);
        }
        continue;
      }
      failed += 1;
      if (method === 'HEAD') continue;
      const { error } = JSON.parse(text) as { error: { code: number; message: string } };
      expect(error.message).toMatch(
        /^internal: Gatehouse failed\. Report it with the request id and the time\. request [\w-]{22}$/,
      );
      expect(written()).toContain(error.message.split(' ').at(-1));
    }
    expect(failed).toBeGreaterThanOrEqual(14);
    saysNothingOf(written().replace(/"at":"[^"]*"/g, ''), 'the log');
  });

  test('N8 of the dashboard, the control socket and the window: each request answers a sentence with the id', async () => {
    const { log, folder, written } = newLog();
    const api = createApi(broken<Handlers>(), { log, databasePath: join(folder, 'state.db') });
    const core = { ...createFakeCore(), api };
    const dashboard = await startDashboard({
      core,
      rendererFolder: join(import.meta.dirname, '../../renderer'),
      clock: systemClock,
      log,
    });
    const control = await serveControl({ folder, api, subscribe: () => () => {}, log });
    if (control.kind !== 'serving') throw new Error(control.kind);
    onTestFinished(async () => {
      await dashboard.close();
      await control.server.close();
    });
    const token = dashboard.link().split('#sign-in=')[1];
    const signIn = await fetch(`${dashboard.url}/sign-in`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token }),
    });
    const cookie = (signIn.headers.get('set-cookie') ?? '').split(';', 1)[0] ?? '';
    const { token: tab } = (await signIn.json()) as { token: string };
    const line = await connectControl(folder);
    const SAYS = /^Gatehouse failed to answer\. The log has more under request ([0-9a-f]{16})\.$/;
    for (const [name, input] of answerable()) {
      const over = await fetch(`${dashboard.url}/api/${name}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', cookie, authorization: `Bearer ${tab}` },
        body: JSON.stringify(input),
      });
      const text = await over.text();
      expect(over.status, `${name} ${text}`).toBe(500);
      saysNothingOf([...over.headers].join('\n') + text, name);
      const { message } = JSON.parse(text) as { message: string };
      expect(written()).toContain(SAYS.exec(message)?.[1] ?? 'no id');
      // The same through the other doors; a door that does not make the request says that instead.
      for (const origin of ['main-window', 'approval-window', 'cli'] as const) {
        const answer = await api.request(name, input, { origin, label: origin });
        if (answer.kind !== 'forbidden')
          expect(answer).toEqual({ kind: 'failed', message: expect.stringMatching(SAYS) });
      }
      const said = await line?.request(name, input as never);
      if (said?.kind !== 'forbidden') expect(said).toEqual({ kind: 'failed', message: expect.stringMatching(SAYS) });
    }
    line?.close();
    saysNothingOf(written().replace(/"at":"[^"]*"/g, ''), 'the log');
  });
});

/** Every request with an input that its schema takes. */
function answerable(): readonly (readonly [RequestName, unknown])[] {
  const id = 'x';
  const guess = {
    workspace: id,
    name: 'x',
    client: id,
    key: id,
    upstream: id,
    role: 'reader',
    query: 'x',
    accept: [],
    yaml: 'x',
    tool: 'x',
    approval: id,
    argumentsSha256: 'x',
    standing: id,
    confirmation: id,
    answer: 'confirm',
    minutes: 5,
    trust: id,
    sink: id,
    requestId: id,
    seq: 1,
    id,
    transport: { kind: 'stdio', command: 'x' },
    label: id,
    connection: id,
    signIn: id,
    issuer: 'https://vendor.example',
    clientId: id,
    secret: 'x',
  };
  const other: Partial<Record<RequestName, unknown>> = {
    upstreamSignIn: { upstream: id, signIn: { kind: 'none' }, clientSecret: 'x' },
  };
  const all = (Object.keys(API) as RequestName[]).map((name) => [name, other[name] ?? guess] as const);
  const fits = all.filter(([name, input]) => API[name].safeParse(input).success);
  expect(fits.length).toBeGreaterThan(all.length * 0.75);
  const connecting = all.filter(([name]) => /^(connection|signIn|presets|upstreamSignIn|secrets)/.test(name));
  expect(fits).toEqual(expect.arrayContaining(connecting));
  return fits;
}

describe('N8 an SQL error', () => {
  test('N8 whatever is asked while the tables are gone, nothing tells of SQL, of a place in the code or of a path', async () => {
    await using target = await openTarget();
    const { gatehouse, k1 } = target;
    const other = new Database(join(gatehouse.folder, 'state.db'));
    other.pragma('foreign_keys = OFF');
    const tables = other
      .prepare<[], string>(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)
      .pluck()
      .all();
    for (const table of tables) other.exec(`DROP TABLE "${table}"`);
    other.close();

    let failed = 0;
    for (const [name, input] of answerable()) {
      const answer = await gatehouse.core.api.request(name, input, PERSON);
      if (answer.kind === 'failed') failed += 1;
      // What a person asked about their own settings may name the data folder: connect lines, exports.
      if (answer.kind !== 'answered') saysNothingOf(answer.message, name);
    }
    expect(failed).toBeGreaterThan(5);
    const answers = [
      await gatehouse.call(k1.secret, 'rec__echo', '{"text":"x"}'),
      await gatehouse.call(k1.secret, 'pin_tool', '{"upstream":"rec","tool":"echo"}'),
      await gatehouse.call(k1.secret, 'find_tools', '{"query":"echo"}'),
      await gatehouse.call('gh_wrong', 'rec__echo'),
      await (await openLegacySession(gatehouse, k1.secret)).call('rec__echo'),
      await gatehouse.post('', '', { path: '/health' }),
    ];
    for (const { text, headers } of answers) saysNothingOf([...headers].join('\n') + text, text.slice(0, 80));
  });
});

describe('N8 a sign-in that Gatehouse itself breaks', () => {
  test.each(['connections', 'secrets'])(
    'N8 the table %s is gone when the browser comes back: page, screen, trace and log say nothing of SQL, codes or paths',
    async (table) => {
      await using vendor = await startVendor();
      await using gatehouse = await startGatehouse();
      await gatehouse.ask('upstreamAdd', { name: 'vendor', transport: { kind: 'http', url: vendor.mcpUrl } });
      const started = await gatehouse.ask('signInStart', { upstream: 'vendor', label: 'work' });
      if (started.kind !== 'done') throw new Error(started.message);
      const now = async (...states: readonly string[]) =>
        eventually(async () => {
          const found = await gatehouse.ask('signInGet', { signIn: started.signIn.id });
          return found.kind === 'done' && states.includes(found.signIn.state) ? found.signIn : null;
        }, states.join(' or '));
      const { link } = await now('waiting');
      const other = new Database(join(gatehouse.folder, 'state.db'));
      other.pragma('foreign_keys = OFF');
      other.exec(`DROP TABLE "${table}"`);
      other.close();

      const page = await followAsBrowser(link ?? '');
      expect(page.status).toBe(400);
      expect(page.text).toContain('was not connected');
      saysNothingOf([...page.headers].join('\n') + page.text, 'the page');
      const ended = await now('failed');
      expect(ended.message).not.toBeNull();
      saysNothingOf(JSON.stringify({ ...ended, link: null }), 'the sign-in');
      const log = readFileSync(join(gatehouse.folder, 'logs/gatehouse.log'), 'utf8');
      // The kind of the fault is for the log alone.
      expect(log).toContain('SQLITE_ERROR');
      saysNothingOf(log.replace(/"(at|fault|code)":"[^"]*"/g, ''), 'the log');
      for (const secret of watchedSecrets()) expect(formsIn(Buffer.from(log), secret)).toEqual([]);
      expect(watchedSecrets().length).toBeGreaterThan(2);
      const { secret } = await gatehouse.key();
      const { text } = await gatehouse.call(secret, 'vendor__whoami');
      saysNothingOf(text, 'a call');
    },
  );
});

describe('N8 a malformed keychain entry', () => {
  test('N8 the call that needs it is 41017; no answer, banner or log has a word of the entry', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-n8-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const keychain = createMemoryKeychain();
    const first = await startGatehouse({ folder, platform: { keychain } });
    const secret = newSecret('value');
    await first.ask('upstreamAdd', {
      name: 'needs',
      transport: { kind: 'http', url: 'http://127.0.0.1:9/mcp', secretHeaders: ['Authorization'] },
      secrets: { Authorization: secret },
    });
    const key = await first.key();
    await first.close();
    for (const item of keychain.items.keys()) keychain.items.set(item, `{"broken": "${CANARY}" ${homedir()}/x`);

    await using gatehouse = await startGatehouse({ folder, platform: { keychain } });
    const needs = await eventually(async () => {
      const found = (await gatehouse.ask('upstreamsList')).find(({ name }) => name === 'needs');
      return found?.status === 'failed' || found?.reason ? found : null;
    }, 'the upstream to say why');
    const replies = [JSON.stringify(needs)];
    for (const name of ['status', 'upstreamsList', 'auditVerify', 'clientsList', 'policyGet'] as const) {
      replies.push(JSON.stringify((await gatehouse.core.api.request(name, {}, PERSON)) ?? ''));
    }
    for (const tool of ['demo__list_notes', 'needs__x']) replies.push((await gatehouse.call(key.secret, tool)).text);
    replies.push(JSON.stringify(await gatehouse.audit()), readFileSync(join(folder, 'logs/gatehouse.log'), 'utf8'));
    for (const reply of replies) {
      expect(formsIn(Buffer.from(reply), CANARY), reply.slice(0, 200)).toEqual([]);
      expect(formsIn(Buffer.from(reply), secret), reply.slice(0, 200)).toEqual([]);
    }
    // It says what is the matter and what to do, in a sentence.
    expect(needs.reason).toMatch(/keychain|master key|secret/i);
    expect((await gatehouse.ask('status')).banners.join(' ')).toMatch(/keychain|master key|signing key|anchor/i);
  });
});
