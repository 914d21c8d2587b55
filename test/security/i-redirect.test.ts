import { createHash, randomBytes } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { SignInState, SignInView } from '../../shared/connections.ts';
import type { AuditEntryView } from '../../shared/model.ts';
import { watchSecret } from '../support/canary.ts';
import { type FakeClock, fakeClock } from '../support/fake-clock.ts';
import { eventually, rawExchange } from '../support/gatehouse.ts';
import { openTarget, statusOf, type Target } from '../support/target.ts';
import { followAsBrowser } from '../support/vendors/browser.ts';
import { startVendor, type Vendor } from '../support/vendors/vendor.ts';

/** Sign-ins at a real vendor, in a Gatehouse under attack. No account is there when a test begins. */
let clock: FakeClock;
let target: Target;
let vendor: Vendor;
let askedBefore = 0;
let givenBefore = 0;

beforeAll(async () => {
  clock = fakeClock();
  target = await openTarget({ clock });
  vendor = await startVendor();
  const added = await target.gatehouse.ask('upstreamAdd', {
    name: 'notes',
    transport: { kind: 'http', url: vendor.mcpUrl },
  });
  if (added.kind !== 'done') throw new Error(added.message);
});
afterAll(async () => {
  for (const token of vendor.tokens()) watchSecret(token);
  await target[Symbol.asyncDispose]();
  await vendor.stop();
});
beforeEach(() => {
  askedBefore = vendor.tokenRequests().length;
  givenBefore = vendor.tokens().length;
});
afterEach(async () => {
  for (const { id, state } of await target.gatehouse.ask('signInsList', {}))
    if (state === 'waiting') await target.gatehouse.ask('signInCancel', { signIn: id });
  for (const { id } of await target.gatehouse.ask('connectionsList'))
    await target.gatehouse.ask('connectionRemove', { connection: id });
});

interface Waiting {
  readonly id: string;
  readonly link: string;
  /** `http://127.0.0.1:<port>/callback` */
  readonly uri: string;
  readonly port: number;
  /** What the browser must bring back. */
  readonly state: string;
}

async function begin(): Promise<Waiting> {
  const started = await target.gatehouse.ask('signInStart', { upstream: 'notes', label: 'work' });
  if (started.kind !== 'done') throw new Error(started.message);
  const { id } = started.signIn;
  const { link, redirectUri } = await until(id, 'waiting', 'failed');
  const uri = redirectUri ?? '';
  const state = new URL(link ?? '').searchParams.get('state') ?? '';
  return { id, link: link ?? '', uri, port: Number(new URL(uri).port), state };
}

async function view(signIn: string): Promise<SignInView> {
  const found = await target.gatehouse.ask('signInGet', { signIn });
  if (found.kind !== 'done') throw new Error(found.message);
  return found.signIn;
}

const until = (id: string, ...states: readonly SignInState[]) =>
  eventually(async () => {
    const now = await view(id);
    return states.includes(now.state) ? now : null;
  }, states.join(' or '));

/** Nothing came of it: nobody was asked for a token, no account is there, nothing secret was kept. */
async function nothingCame(): Promise<void> {
  expect(vendor.tokenRequests()).toHaveLength(askedBefore);
  expect(await target.gatehouse.ask('connectionsList')).toEqual([]);
}

/** The person goes on as if nothing had been, and is connected. */
async function goesOn({ id, link }: Waiting): Promise<void> {
  await followAsBrowser(link);
  expect(await until(id, 'connected', 'failed', 'cancelled')).toMatchObject({ state: 'connected' });
}

/** The one entry of a sign-in that ended with this code. */
async function endOf(code: string): Promise<AuditEntryView | undefined> {
  const isIt = ({ kind, detail }: AuditEntryView) =>
    kind === 'sign_in_failed' && JSON.stringify(detail).includes(`"code":"${code}"`);
  const entries = await target.gatehouse.audit((all) => all.some(isIt));
  expect(entries.filter(isIt)).toHaveLength(1);
  return entries.find(isIt);
}

const refusedVisit = (why: string) => ({
  kind: 'sign_in_visit_refused',
  upstream: 'notes',
  outcome: 'refused',
  detail: { account: 'work', mode: 'mcp_oauth', why, strayVisits: { [why]: 1 } },
});

test.each([
  ['no state', (_state: string) => 'code=x'],
  ['another state', (_state: string) => 'code=x&state=wrong'],
  ['a state of the right length', (state: string) => `code=x&state=${'A'.repeat(state.length)}`],
  ['the state twice', (state: string) => `code=x&state=${state}&state=${state}`],
  ['no state and an error', (_state: string) => 'error=access_denied'],
])('I1 a callback with %s is a static 400, and the sign-in goes on', async (_what, query) => {
  const waiting = await begin();
  const answer = await target.refuses(refusedVisit('wrong_state'), () =>
    rawExchange(
      waiting.port,
      `GET /callback?${query(waiting.state)} HTTP/1.1\r\nHost: 127.0.0.1:${waiting.port}\r\n\r\n`,
      5000,
    ),
  );
  expect(statusOf(answer)).toBe(400);
  expect(answer).toContain('This visit is no part of it.');
  await nothingCame();
  expect(await view(waiting.id)).toMatchObject({ state: 'waiting' });
  await goesOn(waiting);
});

test('I1 the right state a second time is a static 400, and one token is asked for', async () => {
  const waiting = await begin();
  const back = (await followAsBrowser(waiting.link, { stopBefore: waiting.uri })).url;
  // While the first one is answered the port is still open.
  vendor.slowDown(700);
  const first = fetch(back);
  await until(waiting.id, 'working');
  const second = await target.refuses(refusedVisit('wrong_state'), () => fetch(back));
  expect(second.status).toBe(400);
  vendor.slowDown(0);
  expect((await first).status).toBe(200);
  expect(await until(waiting.id, 'connected', 'failed')).toMatchObject({ state: 'connected' });
  expect(vendor.tokenRequests()).toHaveLength(askedBefore + 1);
  await expect(fetch(back)).rejects.toThrow('fetch failed');
});

test('I1 the right state after ten minutes and a second reaches nobody', async () => {
  const waiting = await begin();
  const back = (await followAsBrowser(waiting.link, { stopBefore: waiting.uri })).url;
  await clock.advance(600_000 + 1_000);
  await expect(fetch(back)).rejects.toThrow('fetch failed');
  await nothingCame();
  expect(await view(waiting.id)).toMatchObject({ state: 'failed', code: 'timeout', link: null });
  const row = { kind: 'sign_in_failed', upstream: 'notes', outcome: 'failed' };
  expect(await endOf('timeout')).toMatchObject({ ...row, detail: { account: 'work', code: 'timeout' } });
  await target.stillServes();
});

test('I9 the page that ends a sign-in holds nothing of the address, and nothing in it can run', async () => {
  const waiting = await begin();
  const script = encodeURIComponent('<script>alert(1)</script>');
  const answer = await fetch(
    `${waiting.uri}?error=x&error_description=${script}&state=${waiting.state}&iss=${encodeURIComponent(vendor.issuer)}`,
  );
  const page = await answer.text();
  expect(answer.status).toBe(400);
  expect(answer.headers.get('content-security-policy')).toMatch(
    /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]+'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/,
  );
  expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  expect(page).toContain('The account <b>work</b> was not connected at <b>notes</b>.');
  expect(page).not.toMatch(/script|alert|error_description|href|src=|\son\w+=/i);
  expect(await until(waiting.id, 'failed')).toMatchObject({ code: 'authorization_failed' });
  // In the trace the vendor's words are text; the screens draw it as such.
  expect((await view(waiting.id)).message).toContain('<script>alert(1)</script>');
  await nothingCame();
  await target.stillServes();
});

test.each([
  'redirect=https://evil.test',
  'next=//evil.test',
  'RelayState=https://evil.test',
  'redirect_uri=//evil.test',
])('I11 %s leads nowhere, with the right state or without', async (parameter) => {
  const waiting = await begin();
  const astray = await target.refuses(refusedVisit('wrong_state'), () =>
    fetch(`${waiting.uri}?code=x&state=wrong&${parameter}`, { redirect: 'manual' }),
  );
  const back = (await followAsBrowser(waiting.link, { stopBefore: waiting.uri })).url;
  const home = await fetch(`${back}&${parameter}`, { redirect: 'manual' });
  expect([astray.status, home.status]).toEqual([400, 200]);
  for (const answer of [astray, home]) {
    expect(answer.headers.has('location')).toBe(false);
    expect(answer.headers.has('refresh')).toBe(false);
    expect(await answer.text()).not.toContain('evil.test');
  }
});

test('I12 (design: the port is remembered) a thousand wrong visits neither end nor complete a sign-in, and leave one row', async () => {
  const waiting = await begin();
  const { result, rows } = await target.refusals(async () => {
    const statuses = new Set<number>();
    for (let batch = 0; batch < 20; batch += 1) {
      const visits = Array.from({ length: 50 }, async (_, visit) =>
        statuses.add((await fetch(`${waiting.uri}?code=x&state=${batch}-${visit}`)).status),
      );
      await Promise.all(visits);
    }
    return statuses;
  });
  expect([...result]).toEqual([400]);
  expect(rows).toMatchObject([refusedVisit('wrong_state')]);
  await nothingCame();
  await goesOn(waiting);
  // The rest of the thousand is told with the end.
  const isTold = ({ kind, detail }: AuditEntryView) =>
    kind === 'sign_in_connected' && JSON.stringify(detail).includes('"strayVisits":{"wrong_state":1000}');
  expect((await target.gatehouse.audit((all) => all.some(isTold))).filter(isTold)).toHaveLength(1);
  await expect(fetch(waiting.uri)).rejects.toThrow('fetch failed');
});

test.each([
  [
    'POST',
    405,
    'other_method',
    (port: number) => `POST /callback?QUERY HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Length: 0`,
  ],
  ['HEAD', 405, 'other_method', (port: number) => `HEAD /callback?QUERY HTTP/1.1\r\nHost: 127.0.0.1:${port}`],
  ['another path', 404, 'other_path', (port: number) => `GET /callback/x?QUERY HTTP/1.1\r\nHost: 127.0.0.1:${port}`],
  ['the root', 404, 'other_path', (port: number) => `GET /?QUERY HTTP/1.1\r\nHost: 127.0.0.1:${port}`],
  ['another host', 403, 'other_host', (_port: number) => 'GET /callback?QUERY HTTP/1.1\r\nHost: evil.test'],
  ['localhost', 403, 'other_host', (port: number) => `GET /callback?QUERY HTTP/1.1\r\nHost: localhost:${port}`],
])('I12 %s at the redirect address is answered %i, and the sign-in goes on', async (_what, status, why, head) => {
  const waiting = await begin();
  const request = `${head(waiting.port).replace('QUERY', `code=x&state=${waiting.state}`)}\r\n\r\n`;
  const answer = await target.refuses(refusedVisit(why), () => rawExchange(waiting.port, request, 5000));
  expect(statusOf(answer)).toBe(status);
  await nothingCame();
  await goesOn(waiting);
});

test('I12 from any other address of this machine nobody listens, and after the end nobody does at all', async () => {
  const waiting = await begin();
  const others = Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .flatMap(({ address, family }) => (family === 'IPv4' && address !== '127.0.0.1' ? [address] : []));
  for (const address of ['127.0.0.2', '[::1]', ...others])
    await expect(fetch(`http://${address}:${waiting.port}/callback`), address).rejects.toThrow('fetch failed');
  await goesOn(waiting);
  await expect(fetch(waiting.uri)).rejects.toThrow('fetch failed');
  // The next sign-in listens where the last one did.
  expect((await begin()).uri).toBe(waiting.uri);
  await target.stillServes();
});

test("I13 an attacker's own code with a guessed state is not taken", async () => {
  const waiting = await begin();
  const { code } = await codeOfAnother();
  const answer = await target.refuses(refusedVisit('wrong_state'), () =>
    fetch(`${waiting.uri}?code=${code}&state=${randomBytes(32).toString('base64url')}`),
  );
  expect(answer.status).toBe(400);
  await nothingCame();
  await goesOn(waiting);
});

test('I13 a code that was given to another client ends the sign-in, and nothing is kept', async () => {
  const waiting = await begin();
  const { code } = await codeOfAnother();
  const iss = encodeURIComponent(vendor.issuer);
  const answer = await fetch(`${waiting.uri}?code=${code}&state=${waiting.state}&iss=${iss}`);
  expect(answer.status).toBe(400);
  expect(await until(waiting.id, 'failed', 'connected')).toMatchObject({ state: 'failed', code: 'token_refused' });
  expect(vendor.tokenRequests()).toHaveLength(askedBefore + 1);
  expect(vendor.tokens()).toHaveLength(givenBefore);
  expect(await target.gatehouse.ask('connectionsList')).toEqual([]);
  expect(await endOf('token_refused')).toMatchObject({ kind: 'sign_in_failed', outcome: 'failed' });
  expect(JSON.stringify(await target.gatehouse.audit())).not.toContain(code);
  await target.stillServes();
});

/** A good code of the same vendor, for a client and an account of the attacker's. */
async function codeOfAnother(): Promise<{ readonly code: string }> {
  const redirectUri = 'http://127.0.0.1:1/callback';
  const registered = await fetch(`${vendor.issuer}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      redirect_uris: [redirectUri],
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    }),
  });
  const { client_id } = (await registered.json()) as { readonly client_id: string };
  const link = new URL(`${vendor.issuer}/authorize`);
  link.search = new URLSearchParams({
    response_type: 'code',
    client_id,
    redirect_uri: redirectUri,
    state: 'mine',
    scope: 'notes:read',
    resource: vendor.mcpUrl,
    code_challenge: createHash('sha256').update('a verifier of the attacker, long enough for it').digest('base64url'),
    code_challenge_method: 'S256',
  }).toString();
  const { url } = await followAsBrowser(link.href, { account: 'mallory', stopBefore: redirectUri });
  const code = new URL(url).searchParams.get('code');
  if (code === null) throw new Error(`the attacker got no code: ${url}`);
  return { code };
}
