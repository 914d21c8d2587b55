import { expect, onTestFinished, vi } from 'vitest';
import type { RequestInput } from '../../shared/api.ts';
import type { SignInCode, SignInView } from '../../shared/connections.ts';
import type { AuditEntryView } from '../../shared/model.ts';
import { eventually, startGatehouse, type TestGatehouse } from './gatehouse.ts';

/**
 * A Gatehouse in which people sign in at vendors that mean no good, and another client does its work meanwhile. One for a
 * file: each sign-in has an upstream of its own.
 */
export interface SignInRow extends AsyncDisposable {
  readonly gatehouse: TestGatehouse;
  readonly openBrowser: ReturnType<typeof vi.fn<(address: string) => Promise<boolean>>>;
  /** Adds an upstream and presses Connect; resolves once it waits for somebody, or has ended. */
  begin(url: string, signIn?: Partial<OAuth>): Promise<SignInView>;
  /** Connect once more at the upstream of an earlier one. */
  again(earlier: SignInView, signIn?: Partial<OAuth>): Promise<SignInView>;
  /** The person comes back from the vendor's page with this, and the right state. */
  comeBack(
    view: SignInView,
    query: readonly (readonly [name: string, value: string])[],
  ): Promise<{ readonly view: SignInView; readonly page: string }>;
  settled(id: string): Promise<SignInView>;
  /**
   * What each refusal is to be: said with its code and the next step, recorded once, nothing kept, no page opened, and
   * another client served within a second.
   */
  refused(view: SignInView, code: SignInCode): Promise<AuditEntryView>;
}

type OAuth = Extract<RequestInput<'upstreamSignIn'>['signIn'], { kind: 'mcp_oauth' }>;

export async function startSignInRow(): Promise<SignInRow> {
  const openBrowser = vi.fn(async (_: string) => true);
  const gatehouse = await startGatehouse({ platform: { openBrowser } });
  const other = await gatehouse.recorder('other', { risk: 'read' });
  const { secret } = await gatehouse.key({ name: 'another client' });
  let count = 0;

  const settled = (id: string) =>
    eventually(
      async () => {
        const found = await gatehouse.ask('signInGet', { signIn: id });
        return found.kind === 'done' && found.signIn.state !== 'working' ? found.signIn : null;
      },
      'the sign-in to wait for somebody, or to end',
      PATIENCE_MS,
    );

  async function connect(upstream: string, signIn: Partial<OAuth> | undefined): Promise<SignInView> {
    if (signIn !== undefined) {
      const set = await gatehouse.ask('upstreamSignIn', { upstream, signIn: { kind: 'mcp_oauth', ...signIn } });
      if (set.kind !== 'done') throw new Error(set.message);
    }
    const started = await gatehouse.ask('signInStart', { upstream, label: 'work' });
    if (started.kind !== 'done') throw new Error(started.message);
    return settled(started.signIn.id);
  }

  return {
    gatehouse,
    openBrowser,
    settled,
    async begin(url, signIn) {
      count += 1;
      const name = `notes-${count}`;
      const added = await gatehouse.ask('upstreamAdd', { name, transport: { kind: 'http', url } });
      if (added.kind !== 'done') throw new Error(added.message);
      onTestFinished(async () => void (await gatehouse.ask('upstreamRemove', { upstream: name })));
      return connect(name, signIn);
    },
    again: ({ upstream }, signIn) => connect(upstream, signIn),
    async comeBack({ id, link, redirectUri }, query) {
      const back = new URL(redirectUri ?? '');
      for (const [name, value] of query) back.searchParams.append(name, value);
      back.searchParams.append('state', new URL(link ?? '').searchParams.get('state') ?? '');
      const page = await fetch(back, { redirect: 'manual' });
      return { view: await settled(id), page: await page.text() };
    },
    async refused({ id, upstream }, code) {
      const view = await settled(id);
      expect(view).toMatchObject({ state: 'failed', code, link: null, message: expect.stringMatching(/\S/) });
      expect(view.next?.text).toMatch(/\.$/);
      expect(await gatehouse.ask('connectionsList', { upstream })).toEqual([]);
      expect(openBrowser).not.toHaveBeenCalled();
      const isIt = (entry: AuditEntryView) => entry.kind === 'sign_in_failed' && entry.upstream === upstream;
      const entries = (await gatehouse.audit((all) => all.some(isIt))).filter(isIt);
      expect(entries).toHaveLength(1);
      expect(entries[0]).toMatchObject({ outcome: 'failed', detail: { code, account: 'work' } });
      const before = other.calls().length;
      const answer = await gatehouse.call(secret, 'other__echo', '{"text":"still here"}', {
        signal: AbortSignal.timeout(1_000),
      });
      expect(answer.text).toContain('still here');
      expect(other.calls()).toHaveLength(before + 1);
      return entries[0] as AuditEntryView;
    },
    [Symbol.asyncDispose]: () => gatehouse.close(),
  };
}

/** Longer than the slowest answer that is waited for. */
const PATIENCE_MS = 20_000;
