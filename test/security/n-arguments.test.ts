import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newCanary, sweep } from '../support/canary.ts';
import { launchChromium } from '../support/chromium.ts';
import { openRealDashboard } from '../support/real-dashboard.ts';
import { openTarget, type Target } from '../support/target.ts';

/** As written in the row; a canary here is what a password is: one word. */
const canaries = ['password', 'token', 'bearer'].map((label) => newCanary(label).replaceAll(/["ä ~]/g, '_'));
const [password = '', token = '', bearer = ''] = canaries;
const TEXT = `{"password":"${password}","token":"${token}","Authorization":"Bearer ${bearer}"}`;
const MASKED = '{"password":"[redacted]","token":"[redacted]","Authorization":"[redacted]"}';
const DIGEST = createHash('sha256').update(TEXT).digest('hex');

let target: Target;
beforeAll(async () => {
  target = await openTarget();
  target.watch(await target.gatehouse.recorder('gated', { risk: 'write' }));
});
afterAll(() => target[Symbol.asyncDispose]());

/** What stands on the disk, but for what the recorder upstreams wrote down. */
const onDisk = () =>
  canaries
    .flatMap((canary) => sweep(target.gatehouse.folder, canary))
    .filter(({ file }) => !basename(file).startsWith('record-'));
const entriesOf = async (after: number) =>
  (await target.gatehouse.audit((all) => all.some(({ seq, phase }) => seq > after && phase === 'ended'))).filter(
    ({ seq, kind }) => seq > after && kind === 'tool_call',
  );
const last = async () => (await target.gatehouse.audit()).at(-1)?.seq ?? 0;

describe('N5: secrets in the arguments of a call', () => {
  test('N5: a call that runs at once: the exact bytes reach the upstream, the audit keeps masks and the digest', async () => {
    const after = await last();
    const answer = await target.gatehouse.call(target.k1.secret, 'rec__echo', TEXT);
    expect(answer.message?.result).not.toHaveProperty('isError');
    expect(target.recorder.calls().at(-1)).toContain(`"arguments":${TEXT}`);
    const entries = await entriesOf(after);
    expect(entries.map(({ phase }) => phase)).toEqual(['forwarded', 'ended']);
    expect(entries[0]?.detail).toMatchObject({
      arguments: MASKED,
      argumentsSha256: DIGEST,
      argumentsBytes: Buffer.byteLength(TEXT),
      forwardedSha256: DIGEST,
    });
    expect(onDisk()).toEqual([]);
    await target.stillServes();
  });

  test('N5: a call that waits: its card masks each value until the person asks, and what runs is unchanged', async () => {
    const after = await last();
    await using real = await openRealDashboard(target.gatehouse);
    const browser = await launchChromium();
    try {
      const page = await browser.newPage();
      await page.goto(real.dashboard.link());
      const answering = target.gatehouse.call(target.k1.secret, 'gated__echo', TEXT);
      const card = await target.gatehouse.card();
      expect(card.argumentsText).toBe(TEXT);
      const tree = page.getByLabel('Arguments as a tree');
      await tree.waitFor();
      const everything = () => page.locator('body').innerHTML();
      for (const canary of canaries) expect(await everything()).not.toContain(canary);
      expect(await tree.getByRole('button', { name: 'Reveal' }).count()).toBe(3);
      await tree.getByRole('button', { name: 'Reveal' }).nth(1).click();
      expect(await tree.textContent()).toContain(token);
      for (const canary of [password, bearer]) expect(await everything()).not.toContain(canary);
      await page.getByText('Exact text').click();
      for (const canary of [password, bearer]) expect(await everything()).not.toContain(canary);
      expect(onDisk(), 'while it waits').toEqual([]);

      await target.gatehouse.approve(card);
      expect((await answering).message?.result).toMatchObject({ content: [{ text: TEXT }] });
    } finally {
      await browser.close();
    }
    const entries = await entriesOf(after);
    expect(entries.map(({ phase }) => phase)).toEqual(['asked', 'forwarded', 'ended']);
    expect(entries[0]?.detail).toMatchObject({ arguments: MASKED, argumentsSha256: DIGEST });
    expect(entries[1]?.detail).toMatchObject({ forwardedSha256: DIGEST });
    expect(onDisk(), 'after it ran').toEqual([]);
  });

  test('N5: refused ones: denied, invalid, unknown; nothing of them is kept in clear either', async () => {
    await target.refuses({ errorClass: 'approval_denied', tool: 'echo' }, async () => {
      const answering = target.gatehouse.call(target.k1.secret, 'gated__echo', TEXT);
      const card = await target.gatehouse.card();
      await target.gatehouse.ask('approvalDeny', { approval: card.id, reason: 'no' });
      return answering;
    });
    const invalid = `{"delayMs":"soon",${TEXT.slice(1)}`;
    const masked = expect.objectContaining({ arguments: `{"delayMs":"soon",${MASKED.slice(1)}` });
    await target.refuses({ errorClass: 'invalid_arguments', detail: masked }, () =>
      target.gatehouse.call(target.k1.secret, 'rec__echo', invalid),
    );
    await target.refuses({ errorClass: 'unknown_tool' }, () =>
      target.gatehouse.call(target.k1.secret, 'rec__nothing', TEXT),
    );
    await target.gatehouse.ask('auditExport');
    expect(onDisk()).toEqual([]);
  });
});
