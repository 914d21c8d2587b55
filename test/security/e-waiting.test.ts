import { EventEmitter } from 'node:events';
import type { PowerMonitor } from 'electron';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { followScreenLock } from '../../electron/desktop/screen-lock.ts';
import type { AuditEntryView } from '../../shared/model.ts';
import { openDashboard } from '../support/dashboard.ts';
import { type FakeClock, fakeClock } from '../support/fake-clock.ts';
import { type Answer, eventually, type Recorder, type TestGatehouse } from '../support/gatehouse.ts';
import { openTarget, type Target } from '../support/target.ts';

const MINUTE = 60_000;
const metaOf = (answer: Answer) => (answer.message?.result?._meta ?? {}) as Readonly<Record<string, unknown>>;
const waiting = (gatehouse: TestGatehouse) => gatehouse.ask('approvalsList', { state: 'waiting' });

describe('E11 nobody answers', () => {
  let clock: FakeClock;
  let target: Target;
  let gated: Recorder;
  beforeAll(async () => {
    clock = fakeClock();
    target = await openTarget({ clock });
    gated = target.watch(await target.gatehouse.recorder('gated'));
  });
  afterAll(() => target[Symbol.asyncDispose]());

  test('E11 (design: five minutes to decide) a caller that waits is told 41012 on time, whatever the wall clock says', async () => {
    const { gatehouse, k1 } = target;
    await gatehouse.ask('clientSet', { client: k1.clientId, holdMs: 600_000 });
    const answering = gatehouse.call(k1.secret, 'gated__echo', '{"text":"left alone"}');
    let answered = false;
    void answering.then(() => {
      answered = true;
    });
    const { requestId } = await gatehouse.card();
    const answer = await target.refuses({ kind: 'tool_call', requestId, errorClass: 'approval_expired' }, async () => {
      clock.set(clock.now() - 24 * 60 * MINUTE);
      await clock.advance(5 * MINUTE - 1);
      expect([answered, await waiting(gatehouse)]).toMatchObject([false, [{ requestId }]]);
      await clock.advance(1);
      return answering;
    });
    expect(metaOf(answer)).toMatchObject({ 'gatehouse/code': 41012, 'gatehouse/class': 'approval_expired' });
    expect(await waiting(gatehouse)).toEqual([]);
    expect(gated.calls()).toEqual([]);
    const record = (await gatehouse.audit()).filter((entry) => entry.requestId === requestId);
    expect(record.map((entry) => entry.phase)).toEqual(['asked', 'ended']);
  });

  test('E11 a caller that was told to come back: the card goes, the end is on record once, the retry asks anew', async () => {
    const { gatehouse, k1 } = target;
    await gatehouse.ask('clientSet', { client: k1.clientId, holdMs: 0 });
    const call = () => gatehouse.call(k1.secret, 'gated__echo', '{"text":"left alone again"}');
    expect(metaOf(await call())).toMatchObject({ 'gatehouse/code': 41018 });
    const [card] = await waiting(gatehouse);
    await clock.advance(5 * MINUTE);
    expect(await waiting(gatehouse)).toEqual([]);
    const ofCard = (entries: readonly AuditEntryView[]) =>
      entries.filter((entry) => entry.requestId === card?.requestId);
    const record = ofCard(await gatehouse.audit((all) => ofCard(all).length > 2));
    expect(record).toMatchObject([
      { phase: 'asked' },
      { phase: 'ended', outcome: 'pending' },
      {
        phase: 'event',
        kind: 'approval_expired',
        outcome: 'not_executed',
        detail: { approval: card?.id, message: 'Nobody answered in time; it was not run.' },
      },
    ]);
    expect(await gatehouse.ask('auditList', { errorClass: 'approval_expired', limit: 1 })).toMatchObject({
      records: [{ requestId: card?.requestId, outcome: 'not_executed', tool: 'echo', client: 'attacker' }],
    });
    await target.stillServes();
    expect(metaOf(await call())).toMatchObject({ 'gatehouse/code': 41018 });
    expect((await waiting(gatehouse))[0]?.id).not.toBe(card?.id);
    expect(gated.calls()).toEqual([]);
  });

  test('E11 (design: a late yes is redeemable for ten minutes) and not for longer', async () => {
    const { gatehouse, k1 } = target;
    await clock.advance(10 * MINUTE);
    await gatehouse.ask('clientSet', { client: k1.clientId, holdMs: 0 });
    const call = () => gatehouse.call(k1.secret, 'gated__echo', '{"text":"too late"}');
    await call();
    const card = await gatehouse.card();
    expect(await gatehouse.approve(card)).toEqual({ kind: 'done' });
    await clock.advance(10 * MINUTE);
    expect(metaOf(await call())).toMatchObject({ 'gatehouse/code': 41018 });
    expect(gated.calls()).toEqual([]);
    const entries = await gatehouse.audit((all) => all.some((entry) => entry.kind === 'approval_expired'));
    expect(entries.filter((entry) => entry.requestId === card.requestId).at(-1)).toMatchObject({
      kind: 'approval_expired',
      detail: { message: 'It was approved, but the client did not call again in time; it was not run.' },
    });
    await target.stillServes();
  });
});

describe('E14 nobody can approve', () => {
  let target: Target;
  let gated: Recorder;
  beforeAll(async () => {
    target = await openTarget({ approver: false });
    gated = target.watch(await target.gatehouse.recorder('gated'));
  });
  afterAll(() => target[Symbol.asyncDispose]());

  let calls = 0;
  const call = () => target.gatehouse.call(target.k1.secret, 'gated__echo', `{"text":"call ${++calls}"}`);
  async function isUnavailable(): Promise<void> {
    const began = performance.now();
    const answer = await target.refuses({ kind: 'tool_call', errorClass: 'approval_unavailable' }, call);
    expect(metaOf(answer)).toMatchObject({ 'gatehouse/code': 41011, 'gatehouse/class': 'approval_unavailable' });
    expect(answer.text.toLowerCase()).toContain('no approver available');
    expect(performance.now() - began).toBeLessThan(2000);
    expect(await waiting(target.gatehouse)).toEqual([]);
    expect(gated.calls()).toEqual([]);
  }
  async function isAsked(): Promise<void> {
    const answering = call();
    const card = await target.gatehouse.card();
    await target.gatehouse.ask('approvalDeny', { approval: card.id, reason: `no ${calls}` });
    expect(metaOf(await answering)).toMatchObject({ 'gatehouse/class': 'approval_denied' });
  }

  test(
    'E14 (design: an approver is a live tab or an unlocked desktop) headless without any tab: 41011 at once',
    isUnavailable,
  );

  test('E14 (design: a cookie alone is none) a signed-in tab counts only while its stream is open', async () => {
    const dashboard = await openDashboard(target.gatehouse);
    const tab = await dashboard.signIn();
    await isUnavailable();
    const close = await tab.openStream();
    await isAsked();
    close();
    await eventually(() => (target.gatehouse.core.approvers.present() ? null : true), 'the tab to be gone');
    await isUnavailable();
    await dashboard.close();
  });

  test('E14 (design: an unlocked desktop) behind a locked screen there is none; do-not-disturb does not lock', async () => {
    const powerMonitor = Object.assign(new EventEmitter(), { getSystemIdleState: () => 'active' });
    const end = followScreenLock({
      powerMonitor: powerMonitor as unknown as PowerMonitor,
      approvers: target.gatehouse.core.approvers,
      canShow: () => true,
      clock: fakeClock(),
      platform: 'darwin',
    });
    await isAsked();
    powerMonitor.emit('lock-screen');
    await isUnavailable();
    powerMonitor.emit('unlock-screen');
    await isAsked();
    end();
    await isUnavailable();
  });

  test('E14 the approver leaves while a call waits: it ends in time, and is never a yes', async () => {
    const leave = target.gatehouse.core.approvers.arrive('desktop');
    const answering = target.gatehouse.call(target.k2.secret, 'gated__echo', '{"text":"left behind"}');
    const card = await target.gatehouse.card();
    leave();
    expect(await waiting(target.gatehouse)).toMatchObject([{ id: card.id, expiresAt: card.createdAt + 5 * MINUTE }]);
    expect(gated.calls()).toEqual([]);
    await target.gatehouse.ask('approvalDeny', { approval: card.id });
    await answering;
  });
});
