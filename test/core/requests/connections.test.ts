import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { Caller } from '../../../electron/core/api.ts';
import type { SignInState, SignInView } from '../../../shared/connections.ts';
import { type Accounts, openAccounts, openConnected, UPSTREAM } from '../../support/accounts.ts';
import { newSecret } from '../../support/canary.ts';
import { eventually } from '../../support/gatehouse.ts';
import { followAsBrowser } from '../../support/vendors/browser.ts';

const CLI: Caller = { origin: 'cli', label: 'cli' };
const WINDOW: Caller = { origin: 'main-window', label: 'window' };

async function until({ gatehouse }: Accounts, signIn: string, ...states: readonly SignInState[]): Promise<SignInView> {
  return eventually(async () => {
    const found = await gatehouse.ask('signInGet', { signIn });
    return found.kind === 'done' && states.includes(found.signIn.state) ? found.signIn : null;
  }, states.join(' or '));
}

const nextConfirmation = ({ gatehouse }: Accounts) =>
  eventually(async () => (await gatehouse.ask('confirmationsList'))[0] ?? null, 'a confirmation');

describe('who may begin what', () => {
  let accounts: Accounts;
  beforeAll(async () => {
    accounts = await openConnected({ registration: 'open' });
  });
  afterAll(() => accounts[Symbol.asyncDispose]());
  beforeEach(async () => {
    for (const { id, state } of await accounts.gatehouse.ask('signInsList', {}))
      if (state === 'waiting' || state === 'working') await accounts.gatehouse.ask('signInCancel', { signIn: id });
  });

  test('a command that connects a new account is confirmed by the person first, who sees where it goes', async () => {
    const { gatehouse } = accounts;
    const before = await gatehouse.ask('signInsList', {});
    const asking = gatehouse.ask('signInStart', { upstream: UPSTREAM, label: 'home' }, CLI);
    const { id, title, lines, requestedBy } = await nextConfirmation(accounts);
    expect({ title, requestedBy }).toEqual({ title: `Connect an account at "${UPSTREAM}"`, requestedBy: 'cli' });
    expect(lines).toEqual([
      { label: 'Upstream', value: UPSTREAM },
      { label: 'Account', value: 'home' },
      { label: 'Sign-in', value: 'MCP OAuth' },
    ]);
    expect(await gatehouse.ask('signInsList', {})).toEqual(before);
    await gatehouse.ask('confirmationAnswer', { confirmation: id, answer: 'refuse' });
    expect(await asking).toEqual({ kind: 'refused', message: 'The person refused it. Nothing was changed.' });
    expect(await gatehouse.ask('signInsList', {})).toEqual(before);
  });

  test('a command that signs in again is confirmed too: whoever signs in decides whose account the label is', async () => {
    const { gatehouse } = accounts;
    const { id } = await accounts.connection();
    for (const named of [{ label: 'WORK' }, { connection: id }, {}]) {
      const asking = gatehouse.ask('signInStart', { upstream: UPSTREAM, ...named }, CLI);
      const { id: confirmation, title } = await nextConfirmation(accounts);
      expect(title).toBe(`Sign in again at "${UPSTREAM}"`);
      await gatehouse.ask('confirmationAnswer', { confirmation, answer: 'confirm' });
      expect(await asking).toMatchObject({ kind: 'done', signIn: { connectionId: id, label: 'work' } });
    }
  });

  test('a command that changes which account calls go out as is confirmed; a click in the window is the yes', async () => {
    const { gatehouse } = accounts;
    const { id } = await accounts.connection();
    const { clientId } = await gatehouse.key({ name: 'cursor' });
    const asking = gatehouse.ask('connectionDefault', { connection: id, client: clientId }, CLI);
    const { id: confirmation, lines } = await nextConfirmation(accounts);
    expect(lines).toEqual([
      { label: 'Upstream', value: UPSTREAM },
      { label: 'Account', value: 'work' },
      { label: 'Calls of', value: 'cursor' },
    ]);
    await gatehouse.ask('confirmationAnswer', { confirmation, answer: 'refuse' });
    expect(await asking).toMatchObject({ kind: 'refused' });
    expect((await accounts.connection()).defaultFor).toEqual([]);
    const chosen = await gatehouse.ask('connectionDefault', { connection: id, client: clientId }, WINDOW);
    expect(chosen).toMatchObject({ kind: 'done', connection: { defaultFor: [clientId] } });
  });

  test('a command that removes the default account is confirmed while there is another to take its place', async () => {
    const { gatehouse } = accounts;
    expect(await accounts.signIn({ account: 'grace' }, { label: 'other' })).toMatchObject({ state: 'connected' });
    const { id } = await accounts.connection();
    const asking = gatehouse.ask('connectionRemove', { connection: id }, CLI);
    const { id: confirmation, title } = await nextConfirmation(accounts);
    expect(title).toBe(`Remove the default account at "${UPSTREAM}"`);
    await gatehouse.ask('confirmationAnswer', { confirmation, answer: 'refuse' });
    expect(await asking).toMatchObject({ kind: 'refused' });
    const { id: other } = await accounts.connection('other');
    expect(await gatehouse.ask('connectionRemove', { connection: other }, CLI)).toMatchObject({ kind: 'done' });
    expect(await accounts.connection()).toMatchObject({ id, isDefault: true });
  });

  test('a command that renames an account is confirmed: rules go by the name', async () => {
    const { gatehouse } = accounts;
    const { id } = await accounts.connection();
    const asking = gatehouse.ask('connectionRename', { connection: id, label: 'personal' }, CLI);
    const { id: confirmation, lines } = await nextConfirmation(accounts);
    expect(lines).toContainEqual({ label: 'Account', value: 'personal', before: 'work' });
    await gatehouse.ask('confirmationAnswer', { confirmation, answer: 'refuse' });
    expect(await asking).toMatchObject({ kind: 'refused' });
    expect(await accounts.connection()).toMatchObject({ id, label: 'work' });
    const renamed = await gatehouse.ask('connectionRename', { connection: id, label: 'job' }, WINDOW);
    expect(renamed).toMatchObject({ kind: 'done', connection: { label: 'job' } });
    expect(await gatehouse.ask('connectionRename', { connection: id, label: 'work' })).toMatchObject({ kind: 'done' });
  });

  test('a click in the window begins it without another one', async () => {
    const started = await accounts.gatehouse.ask('signInStart', { upstream: UPSTREAM, label: 'home' }, WINDOW);
    expect(started).toMatchObject({ kind: 'done', signIn: { label: 'home', connectionId: null } });
  });

  test('what is not there is refused in a sentence', async () => {
    const { gatehouse } = accounts;
    const refusal = async (answer: Promise<{ readonly kind: string; readonly message?: string }>) => {
      const { kind, message } = await answer;
      return kind === 'refused' ? message : kind;
    };
    const ask = gatehouse.ask;
    expect(await refusal(ask('signInStart', { upstream: 'none' }))).toContain('There is no upstream "none".');
    expect(await refusal(ask('signInStart', { upstream: UPSTREAM, connection: 'none' }))).toBe(
      `There is no such account at ${UPSTREAM} any more.`,
    );
    expect(await refusal(ask('signInStart', { upstream: 'demo' }))).toContain('Nobody signs in at demo.');
    for (const name of ['signInGet', 'signInCancel'] as const)
      expect(await refusal(ask(name, { signIn: 'none' })), name).toBe('There is no such sign-in.');
    expect(await refusal(ask('signInOpen', { signIn: 'none' }))).toContain('does not wait for the browser');
    expect(await refusal(ask('signInConfirm', { signIn: 'none' }))).toContain('does not ask that now');
    expect(await refusal(ask('signInChoose', { signIn: 'none', issuer: 'https://evil.test' }))).toContain(
      'none of the',
    );
    expect(await refusal(ask('signInClient', { signIn: 'none', clientId: 'x' }))).toContain('does not ask that now');
    const { id } = await accounts.connection();
    expect(await refusal(ask('connectionDefault', { connection: id, client: 'none' }))).toBe(
      'There is no client "none".',
    );
    expect(await ask('connectionsList', { upstream: 'none' })).toEqual([]);
    expect(await ask('connectionsList', { workspace: 'none' })).toEqual([]);
    expect(await ask('signInsList', { upstream: 'none' })).toEqual([]);
  });

  test('headless a click opens nothing and gives the link', async () => {
    const { gatehouse } = accounts;
    const started = await gatehouse.ask('signInStart', { upstream: UPSTREAM, label: 'home' });
    if (started.kind !== 'done') throw new Error(started.message);
    const { link } = await until(accounts, started.signIn.id, 'waiting', 'failed');
    expect(await gatehouse.ask('signInOpen', { signIn: started.signIn.id })).toEqual({
      kind: 'done',
      opened: false,
      link,
    });
  });
});

test('a client id that a command pastes is confirmed by the person, and its secret is not in what is shown', async () => {
  const secret = newSecret('client-secret').replace(/[^\x21-\x7e]/g, '-');
  await using accounts = await openAccounts({ registration: 'off', clients: [{ id: 'by-hand', secret }] });
  const { gatehouse } = accounts;
  const started = await gatehouse.ask('signInStart', { upstream: UPSTREAM, label: 'work' });
  if (started.kind !== 'done') throw new Error(started.message);
  const { id } = started.signIn;
  await until(accounts, id, 'needs_client_id', 'failed');
  const pasting = gatehouse.ask('signInClient', { signIn: id, clientId: 'by-hand', clientSecret: secret }, CLI);
  const { id: confirmation, lines } = await nextConfirmation(accounts);
  expect(lines).toContainEqual({ label: 'Client id', value: 'by-hand' });
  expect(JSON.stringify(lines)).not.toContain(secret);
  await gatehouse.ask('confirmationAnswer', { confirmation, answer: 'confirm' });
  expect(await pasting).toMatchObject({ kind: 'done' });
  const { link } = await until(accounts, id, 'waiting', 'failed');
  await followAsBrowser(link ?? '');
  expect(await until(accounts, id, 'connected', 'failed')).toMatchObject({ state: 'connected' });
  expect(await accounts.upstream()).toMatchObject({ signIn: { clientId: 'by-hand', clientSecret: true } });
});

test('an account that the vendor took back is a banner and shows in health, until it is connected again', async () => {
  await using accounts = await openConnected();
  const { gatehouse, vendor } = accounts;
  const banner = `An account is no longer signed in: ${UPSTREAM} (work). Connect it again on the Upstreams page.`;
  expect((await gatehouse.ask('status')).banners).not.toContain(banner);
  vendor.revokeGrants();
  vendor.expireAccessTokens();
  expect(await accounts.call('whoami')).toMatchObject({ isError: true, meta: { 'gatehouse/class': 'auth_required' } });
  expect((await gatehouse.ask('status')).banners).toContain(banner);
  const admin = await gatehouse.key({ role: 'admin' });
  const health = await fetch(`http://127.0.0.1:${gatehouse.port}/health`, {
    headers: { authorization: `Bearer ${admin.secret}` },
  });
  expect(await health.json()).toMatchObject({
    connections: [{ upstream: UPSTREAM, account: 'work', state: 'reconnect' }],
  });
  const { id } = await accounts.connection();
  expect(await accounts.signIn({}, { connection: id })).toMatchObject({ state: 'connected' });
  expect((await gatehouse.ask('status')).banners).not.toContain(banner);
  expect(await accounts.whoami()).toMatchObject({ account: 'ada' });
});

test('an upstream that is removed leaves no account, no trace, no port and no registration behind', async () => {
  const accounts = await openConnected();
  onTestFinished(() => accounts[Symbol.asyncDispose]());
  const { gatehouse } = accounts;
  await gatehouse.ask('upstreamRemove', { upstream: UPSTREAM });
  expect(await gatehouse.ask('connectionsList')).toEqual([]);
  expect(await gatehouse.ask('signInsList', {})).toEqual([]);
  const rows = await eventually(
    () => {
      const counted = countRows(gatehouse.folder);
      return Object.values(counted).every((count) => count === 0) ? counted : null;
    },
    `no rows, not ${JSON.stringify(countRows(gatehouse.folder))}`,
  );
  expect(Object.keys(rows)).toHaveLength(4);
});

function countRows(folder: string): Readonly<Record<string, number>> {
  const db = new Database(join(folder, 'state.db'), { readonly: true });
  try {
    return Object.fromEntries(
      ['connections', 'sign_ins', 'redirect_ports', 'client_registrations'].map((table) => [
        table,
        Number(db.prepare(`SELECT count(*) FROM ${table}`).pluck().get()),
      ]),
    );
  } finally {
    db.close();
  }
}
