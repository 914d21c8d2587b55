import { EventEmitter } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PowerMonitor } from 'electron';
import { expect, onTestFinished, test } from 'vitest';
import { pageIsWhole } from '../../electron/desktop/page-files.ts';
import { followScreenLock } from '../../electron/desktop/screen-lock.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { startGatehouse } from '../support/gatehouse.ts';

const PAGE = '<script type="module" src="./assets/a.js"></script><link rel="stylesheet" href="./assets/a.css">';

/** A page as the build makes it: one file that names two others. */
function builtPage(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-page-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'assets'));
  writeFileSync(join(folder, 'approval.html'), PAGE);
  for (const name of ['a.js', 'a.css']) writeFileSync(join(folder, 'assets', name), '');
  return folder;
}

test.each(['approval.html', 'assets/a.js', 'assets/a.css'])(
  'E14 the window for cards has lost %s: a call is refused at once, and nothing runs; with the file back it is asked about',
  async (file) => {
    const folder = builtPage();
    const clock = fakeClock();
    await using gatehouse = await startGatehouse({ clock, approver: false });
    const monitor = Object.assign(new EventEmitter(), { getSystemIdleState: () => 'active' });
    const end = followScreenLock({
      powerMonitor: monitor as unknown as PowerMonitor,
      approvers: gatehouse.core.approvers,
      canShow: () => pageIsWhole(folder, 'approval.html'),
      clock,
      platform: 'linux',
    });
    const recorder = await gatehouse.recorder('rec');
    const { secret } = await gatehouse.key();

    rmSync(join(folder, file));
    await clock.advance(2_000);
    const refused = await gatehouse.call(secret, 'rec__echo', '{"text":"x"}');
    expect(refused.message?.result?._meta, refused.text).toMatchObject({
      'gatehouse/code': 41011,
      'gatehouse/class': 'approval_unavailable',
    });
    expect(recorder.calls()).toEqual([]);
    const ended = await gatehouse.audit((all) => all.some(({ phase, tool }) => phase === 'ended' && tool === 'echo'));
    expect(ended.filter(({ tool }) => tool === 'echo')).toMatchObject([
      { phase: 'ended', outcome: 'refused', errorClass: 'approval_unavailable' },
    ]);

    writeFileSync(join(folder, file), file === 'approval.html' ? PAGE : '');
    await clock.advance(2_000);
    const answering = gatehouse.call(secret, 'rec__echo', '{"text":"y"}');
    await gatehouse.approve(await gatehouse.card());
    expect((await answering).message?.result?.isError).toBeUndefined();
    end();
  },
);
