import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Caller } from '../../electron/core/api.ts';
import { eventually, type TestKey } from '../support/gatehouse.ts';
import { openRealDashboard, type RealDashboard } from '../support/real-dashboard.ts';
import { openSocket, openTarget, rawRequest, statusOf, type Target } from '../support/target.ts';

const OPEN = 'defaultEffect: allow\nrules: []\n';
const SHUT = 'defaultEffect: deny\nrules: []\n';
const BODY = JSON.stringify({ yaml: OPEN });
const CLI: Caller = { origin: 'cli', label: 'command line' };

let target: Target;
let real: RealDashboard;
let admin: TestKey;
beforeAll(async () => {
  target = await openTarget();
  real = await openRealDashboard(target.gatehouse);
  admin = await target.gatehouse.key({ role: 'admin', name: 'looker' });
});
afterAll(async () => {
  await real[Symbol.asyncDispose]();
  await target[Symbol.asyncDispose]();
});

const policy = async () => (await target.gatehouse.ask('policyExport')).yaml;
const edits = async () => (await target.gatehouse.audit()).filter(({ kind }) => kind === 'policy_changed');

/** The vector is refused with this status, is on record once, and neither the policy nor the record of edits has moved. */
async function changesNothing(
  row: Parameters<Target['refuses']>[0],
  status: number,
  vector: () => Promise<{ readonly status: number }>,
): Promise<void> {
  const before = [await policy(), await edits()];
  expect((await target.refuses(row, vector)).status).toBe(status);
  expect([await policy(), await edits()]).toEqual(before);
}

/** A request that a signed-in tab would be answered, with its sign-in replaced. */
const toDashboard = (method: string, path: string, headers: Readonly<Record<string, string>>) =>
  fetch(`${real.dashboard.url}${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    body: BODY,
  });

const ROUTES = ['/api/policyImport', '/api/policy', '/policy'];

describe('H7 the policy is edited by a person alone', () => {
  test('H7 PUT policy with the key of an agent, or of an admin: 403 at the dashboard, 404 on the port of agents', async () => {
    for (const { secret } of [target.k1, admin]) {
      for (const path of ROUTES) {
        for (const method of ['PUT', 'POST', 'PATCH']) {
          const headers = { authorization: `Bearer ${secret}` };
          await changesNothing({ kind: 'key_on_dashboard' }, 403, () => toDashboard(method, path, headers));
          await changesNothing({ kind: 'route_absent' }, 404, () =>
            fetch(`http://127.0.0.1:${target.gatehouse.port}${path}`, {
              method,
              headers: { 'content-type': 'application/json', ...headers },
              body: BODY,
            }),
          );
        }
      }
    }
  });

  test('H7 edit with a UI session that is logged out: 401', async () => {
    const tab = await real.signIn();
    const signedIn = { cookie: tab.cookie, authorization: tab.authorization };
    expect((await toDashboard('POST', '/api/policyExport', signedIn)).status).toBe(200);
    expect((await toDashboard('POST', '/sign-out', signedIn)).status).toBe(200);
    await changesNothing({ kind: 'unauthorized' }, 401, () => toDashboard('POST', '/api/policyImport', signedIn));
  });

  test('H7 logged out while the edit is under way: 401', async () => {
    const tab = await real.signIn();
    const head = [
      `Host: 127.0.0.1:${real.port}`,
      `Cookie: ${tab.cookie}`,
      `Authorization: ${tab.authorization}`,
      'Content-Type: application/json',
      `Content-Length: ${BODY.length}`,
      'Connection: close',
    ];
    await changesNothing(
      { kind: 'unauthorized', detail: { where: 'dashboard', path: '/api/policyImport' } },
      401,
      async () => {
        const { socket, closed } = await openSocket(real.port);
        socket.write(rawRequest('POST /api/policyImport HTTP/1.1', head, BODY.slice(0, 10)));
        // It has been let in: its body is waited for.
        await new Promise((resolve) => setTimeout(resolve, 100));
        const signedIn = { cookie: tab.cookie, authorization: tab.authorization };
        expect((await toDashboard('POST', '/sign-out', signedIn)).status).toBe(200);
        socket.write(BODY.slice(10));
        return { status: statusOf(await closed) };
      },
    );
  });

  test('H7 from a UI session: saved at once, with what it was before and after on record', async () => {
    const tab = await real.signIn();
    const before = await policy();
    const answer = await fetch(`${real.dashboard.url}/api/policyImport`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', cookie: tab.cookie, authorization: tab.authorization },
      body: JSON.stringify({ yaml: SHUT }),
    });
    expect(await answer.json()).toMatchObject({ result: { kind: 'done' } });
    const after = await policy();
    expect(after).not.toBe(before);
    expect(
      await eventually(async () => ((await edits()).length > 0 ? edits() : null), 'the edit on record'),
    ).toMatchObject([{ phase: 'event', workspace: 'Personal', detail: { before, after, by: 'dashboard' } }]);
    // And it is in force.
    expect((await target.gatehouse.call(target.k1.secret, 'rec__echo')).message?.result).toMatchObject({
      isError: true,
      _meta: { 'gatehouse/class': 'policy_denied' },
    });
    await target.gatehouse.ask('policyImport', { yaml: before });
  });

  test('H7 from the command line: nothing changes before the person at the UI says yes, and a no is a no', async () => {
    const { gatehouse } = target;
    const confirm = async (answer: 'confirm' | 'refuse') => {
      const [asked] = await eventually(async () => {
        const waiting = await gatehouse.ask('confirmationsList');
        return waiting.length > 0 ? waiting : null;
      }, 'the question');
      expect(asked).toMatchObject({ kind: 'policy', requestedBy: 'command line' });
      // The person reads the whole of both.
      const shown = asked?.lines.map(({ value }) => value).join('\n');
      for (const text of [await policy(), 'defaultEffect: allow']) expect(shown).toContain(text);
      expect([await policy(), await edits()]).toEqual(before);
      // Whoever asked cannot answer.
      const own = { confirmation: asked?.id ?? '', answer } as const;
      expect(await gatehouse.core.api.request('confirmationAnswer', own, CLI)).toMatchObject({ kind: 'forbidden' });
      await gatehouse.ask('confirmationAnswer', own);
    };
    let before = [await policy(), await edits()];
    const refused = gatehouse.ask('policyImport', { yaml: OPEN }, CLI);
    await confirm('refuse');
    expect(await refused).toMatchObject({ kind: 'refused', message: 'The person refused it. Nothing was changed.' });
    expect([await policy(), await edits()]).toEqual(before);

    before = [await policy(), await edits()];
    const saved = gatehouse.ask('policyImport', { yaml: OPEN }, CLI);
    await confirm('confirm');
    expect(await saved).toMatchObject({ kind: 'done' });
    const [was, known] = before;
    const all = await eventually(async () => {
      const now = await edits();
      return now.length > (known?.length ?? 0) ? now : null;
    }, 'the edit on record');
    expect(all.at(-1)).toMatchObject({ detail: { before: was, after: await policy(), by: 'command line' } });
    await target.stillServes();
  });
});
