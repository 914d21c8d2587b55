import { expect } from 'vitest';
import type { RequestInput } from '../../shared/api.ts';
import type { ConnectionView, SignInView } from '../../shared/connections.ts';
import type { UpstreamView } from '../../shared/model.ts';
import {
  type Answer,
  eventually,
  startGatehouse,
  type TestGatehouse,
  type TestKey,
  type TestOptions,
} from './gatehouse.ts';
import { type Signer, signIn } from './sign-in.ts';
import { followAsBrowser, type Person } from './vendors/browser.ts';
import type { WhoAmI } from './vendors/mcp-server.ts';
import type { VendorProfile } from './vendors/profile.ts';
import { startVendor, type Vendor } from './vendors/vendor.ts';

/** A whole Gatehouse, and one upstream of it that wants an account: a real vendor. */
export interface Accounts extends AsyncDisposable {
  readonly gatehouse: TestGatehouse;
  readonly vendor: Vendor;
  readonly key: TestKey;
  readonly upstreamId: string;
  upstream(): Promise<UpstreamView>;
  /** One sign-in by a person without a browser; `ada`, who allows everything, under the label `work`. */
  signIn(person?: Person & Partial<Signer>, wanted?: Partial<RequestInput<'signInStart'>>): Promise<SignInView>;
  connection(label?: string): Promise<ConnectionView>;
  /** Waits for the tools, and accepts them at risk read, so that calls run at once. */
  review(): Promise<void>;
  /** `call_external_tool` at this upstream. */
  call(tool: string, args?: Record<string, unknown>, connection?: string): Promise<Called>;
  /** A call of `whoami` that must work. */
  whoami(connection?: string): Promise<WhoAmI>;
}

export interface Called {
  readonly text: string;
  readonly isError: boolean;
  readonly meta: Readonly<Record<string, unknown>>;
  readonly answer: Answer;
}

/** What the upstream of {@link openAccounts} is called. */
export const UPSTREAM = 'vendor';

/** Gatehouse has seen that the upstream wants an account; nobody is signed in. */
export async function openAccounts(profile: VendorProfile = {}, options: TestOptions = {}): Promise<Accounts> {
  const gatehouse = await startGatehouse(options);
  const accounts = await addVendor(gatehouse, await gatehouse.key(), UPSTREAM, profile);
  return {
    ...accounts,
    async [Symbol.asyncDispose]() {
      await gatehouse.close();
      await accounts[Symbol.asyncDispose]();
    },
  };
}

/** The same, with `ada` signed in as `work` and the tools reviewed. */
export async function openConnected(profile: VendorProfile = {}, options: TestOptions = {}): Promise<Accounts> {
  const accounts = await openAccounts(profile, options);
  await connect(accounts);
  return accounts;
}

/** `ada` signs in as `work`, and the tools are reviewed. */
export async function connect(accounts: Accounts, person: Parameters<Accounts['signIn']>[0] = {}): Promise<void> {
  const signedIn = await accounts.signIn(person);
  expect(signedIn, JSON.stringify(signedIn.steps, null, 1)).toMatchObject({ state: 'connected', code: null });
  await accounts.review();
}

/** One more vendor for a Gatehouse that runs: it has seen that an account is wanted. It ends with the vendor. */
export async function addVendor(
  gatehouse: TestGatehouse,
  key: TestKey,
  name: string,
  profile: VendorProfile = {},
): Promise<Accounts> {
  const vendor = await startVendor(profile);
  const added = await gatehouse.ask('upstreamAdd', { name, transport: { kind: 'http', url: vendor.mcpUrl } });
  if (added.kind !== 'done') throw new Error(added.message);
  const accounts = accountsOf(gatehouse, vendor, key, added.upstream);
  await eventually(async () => ((await accounts.upstream()).needsSignIn ? true : null), 'the wish for an account');
  return accounts;
}

export function accountsOf(
  gatehouse: TestGatehouse,
  vendor: Vendor,
  key: TestKey,
  { id: upstreamId, name }: Pick<UpstreamView, 'id' | 'name'>,
): Accounts {
  const accounts: Accounts = {
    gatehouse,
    vendor,
    key,
    upstreamId,
    async upstream() {
      const found = (await gatehouse.ask('upstreamsList')).find(({ id }) => id === upstreamId);
      if (found === undefined) throw new Error('the upstream is gone');
      return found;
    },
    signIn: ({ account, answer, cookies, stopBefore, ...person } = {}, wanted = {}) => {
      const follow = (link: string) =>
        followAsBrowser(link, {
          ...(account === undefined ? {} : { account }),
          ...(answer === undefined ? {} : { answer }),
          ...(cookies === undefined ? {} : { cookies }),
          ...(stopBefore === undefined ? {} : { stopBefore }),
        });
      const label = wanted.connection === undefined ? { label: 'work' } : {};
      return signIn(gatehouse.ask, { upstream: upstreamId, ...label, ...wanted }, { follow, ...person });
    },
    async connection(label = 'work') {
      const found = (await gatehouse.ask('connectionsList', { upstream: upstreamId })).find(
        (one) => one.label === label,
      );
      if (found === undefined) throw new Error(`no account ${label}`);
      return found;
    },
    async review() {
      const tools = await eventually(async () => {
        const listed = await gatehouse.ask('toolsList', { upstream: upstreamId });
        return listed.length > 0 ? listed : null;
      }, 'the tools');
      const accept = tools.map(({ kind, name, fingerprint }) => ({ kind, name, fingerprint, risk: 'read' as const }));
      const reviewed = await gatehouse.ask('toolsReview', { upstream: upstreamId, accept });
      if (reviewed.kind !== 'done') throw new Error(reviewed.message);
    },
    async call(tool, args = {}, connection) {
      const named = connection === undefined ? {} : { connection };
      const whole = { upstream: name, tool, arguments: args, ...named };
      const answer = await gatehouse.call(key.secret, 'call_external_tool', JSON.stringify(whole));
      const result = answer.message?.result as RawResult | undefined;
      return {
        text: (result?.content ?? []).map(({ text }) => text ?? '').join(''),
        isError: result?.isError === true,
        meta: result?._meta ?? {},
        answer,
      };
    },
    async whoami(connection) {
      const called = await accounts.call('whoami', {}, connection);
      expect(called.isError, called.answer.text).toBe(false);
      return JSON.parse(called.text) as WhoAmI;
    },
    async [Symbol.asyncDispose]() {
      await vendor.stop();
    },
  };
  return accounts;
}

interface RawResult {
  readonly content?: readonly { readonly text?: string }[];
  readonly isError?: boolean;
  readonly _meta?: Readonly<Record<string, unknown>>;
}
