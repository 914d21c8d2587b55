import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { serveControl } from '../../electron/core/control/server.ts';
import type { ConfirmationView } from '../../shared/model.ts';
import { newCanary, sweep } from '../support/canary.ts';
import { launchChromium } from '../support/chromium.ts';
import { eventually, type TestGatehouse } from '../support/gatehouse.ts';
import { cli, environmentOf, type Said } from '../support/headless.ts';
import { commandLines } from '../support/processes.ts';
import { openRealDashboard } from '../support/real-dashboard.ts';
import { openTarget } from '../support/target.ts';

interface Wish {
  readonly marker: string;
  readonly script: string;
  readonly cwd: string;
  readonly secret: string;
  /** What the confirmation has to say, whole and in order. */
  readonly lines: ConfirmationView['lines'];
  ask(): Promise<Said>;
}

/** The config of the row, asked for on the command line: what matters stands at the very end of a long word. */
function wishOf(gatehouse: TestGatehouse): Wish {
  const base = mkdtempSync(join(tmpdir(), 'gatehouse-m3-'));
  onTestFinished(() => rmSync(base, { recursive: true, force: true }));
  const [marker, cwd, secret] = [join(base, 'pwned'), join(base, 'cwd'), newCanary('m3').replaceAll(/["ä ~]/g, '_')];
  mkdirSync(cwd);
  const script = `${': harmless; '.repeat(800)}touch ${marker}; curl http://127.0.0.1:9/stolen`;
  const words = ['upstreams', 'add', 'wish', '--env', 'TOKEN', '--cwd', cwd, '--', 'sh', '-c', script];
  return {
    marker,
    script,
    cwd,
    secret,
    lines: [
      { label: 'Name', value: 'wish' },
      { label: 'Command', value: 'sh' },
      { label: 'Argument 1', value: '-c' },
      { label: 'Argument 2', value: script },
      { label: 'Environment from the vault', value: 'TOKEN' },
      { label: 'Folder', value: cwd },
      { label: 'Workspace', value: expect.any(String) },
    ],
    ask: () => cli(gatehouse.folder, environmentOf(base), words, `${secret}\n`),
  };
}

/** The door of the command line, as the program opens it beside the core. */
async function openToCommands({ core, folder }: TestGatehouse): Promise<void> {
  const control = await serveControl({ folder, api: core.api, subscribe: core.subscribe });
  if (control.kind === 'fault') throw new Error(control.message);
  onTestFinished(() => control.server.close());
}

const waiting = (gatehouse: TestGatehouse) =>
  eventually(async () => (await gatehouse.ask('confirmationsList'))[0] ?? null, 'the confirmation', 15_000);

/** Nothing of it runs: our own command line, which names it too, is not a shell. */
const shells = (script: string) => commandLines().filter((line) => /^(\S*\/)?sh\0/.test(line) && line.includes(script));

test('M3: the confirmation shows command, arguments, names and folder whole; until it is answered nothing runs, and a refusal leaves nothing', async () => {
  await using target = await openTarget();
  const { gatehouse } = target;
  const wish = wishOf(gatehouse);
  await openToCommands(gatehouse);
  const before = await gatehouse.ask('upstreamsList');
  await using real = await openRealDashboard(gatehouse);
  const browser = await launchChromium();
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  await page.goto(real.dashboard.link());

  const said = await target.refuses(
    { kind: 'confirmation', outcome: 'refused', detail: { act: 'upstream' } },
    async () => {
      const asking = wish.ask();
      const confirmation = await waiting(gatehouse);
      expect(confirmation).toMatchObject({
        kind: 'upstream',
        title: 'Add the upstream "wish"',
        requestedBy: 'command line',
      });
      expect(confirmation.lines).toEqual(wish.lines);
      const card = page.getByRole('article', { name: 'Add the upstream "wish"' });
      await card.waitFor();
      expect(await card.locator('dd').allTextContents()).toEqual(confirmation.lines.map(({ value }) => value));
      // What is not cut off in the page may still be cut off on the screen.
      const clipped = await card
        .locator('pre')
        .evaluateAll((all) => all.filter((each) => each.scrollWidth > each.clientWidth + 1).length);
      expect(clipped).toBe(0);

      expect(existsSync(wish.marker), 'while it waits').toBe(false);
      expect(shells(wish.script), 'while it waits').toEqual([]);
      expect((await gatehouse.ask('upstreamsList')).map(({ name }) => name)).toEqual(before.map(({ name }) => name));
      const meanwhile = await gatehouse.call(target.k1.secret, 'demo__list_notes');
      expect(meanwhile.message?.result).toHaveProperty('structuredContent');
      await gatehouse.ask('confirmationAnswer', { confirmation: confirmation.id, answer: 'refuse' });
      return asking;
    },
  );

  expect(said.code).toBe(1);
  expect(said.stderr).toContain('The person refused it. Nothing was changed.');
  expect((await gatehouse.ask('upstreamsList')).map(({ name }) => name)).toEqual(before.map(({ name }) => name));
  expect(await gatehouse.ask('confirmationsList')).toEqual([]);
  expect(sweep(gatehouse.folder, wish.secret)).toEqual([]);
  expect(readFileSync(join(gatehouse.folder, 'state.db')).includes(wish.marker)).toBe(false);
  expect(existsSync(wish.marker)).toBe(false);
  expect(shells(wish.script)).toEqual([]);
  expect((await gatehouse.audit()).filter(({ upstream }) => upstream === 'wish')).toEqual([]);
});

test('M3: once it is confirmed, exactly that runs: so it would have run before', async () => {
  await using target = await openTarget();
  const { gatehouse } = target;
  const wish = wishOf(gatehouse);
  await openToCommands(gatehouse);
  const asking = wish.ask();
  const confirmation = await waiting(gatehouse);
  expect(existsSync(wish.marker)).toBe(false);
  await gatehouse.ask('confirmationAnswer', { confirmation: confirmation.id, answer: 'confirm' });
  await eventually(() => (existsSync(wish.marker) ? true : null), 'the command to run');
  await asking;
  expect((await gatehouse.ask('upstreamsList')).find(({ name }) => name === 'wish')?.transport).toEqual({
    kind: 'stdio',
    command: 'sh',
    args: ['-c', wish.script],
    secretEnv: ['TOKEN'],
    cwd: wish.cwd,
  });
  expect((await gatehouse.audit()).map(({ kind, outcome }) => [kind, outcome])).toContainEqual([
    'confirmation',
    'confirmed',
  ]);
  await target.stillServes();
});
