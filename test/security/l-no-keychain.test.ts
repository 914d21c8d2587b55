import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { filesUnder, newSecret, sweep } from '../support/canary.ts';
import { eventually, startGatehouse } from '../support/gatehouse.ts';
import { RECORDER, recorded, startHeadless } from '../support/headless.ts';
import { createMemoryKeychain } from '../support/memory-keychain.ts';
import { withinASecond } from '../support/promptly.ts';

const NO_KEYCHAIN =
  'No keychain on this machine, so secrets are not stored. Start a keyring (for example gnome-keyring), or set GATEHOUSE_MASTER_KEY_FILE to a file only you can read.';
const KEYRING = fileURLToPath(new URL('../support/keyring.sh', import.meta.url));

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-l17-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe('L17 (design: in terms of the keyring)', () => {
  test.each([
    ['no session bus', []],
    ['a session bus without a Secret Service', [KEYRING, 'absent']],
  ] as const)(
    'L17 (design: keyring): with %s a secret is refused, said, recorded and written nowhere',
    async (_name, before) => {
      const env = { GATEHOUSE_MASTER_KEY_FILE: '', GATEHOUSE_UNATTENDED: '1' };
      await using gatehouse = await startHeadless({ before, env });
      expect(gatehouse.said().stderr).toContain(`! ${NO_KEYCHAIN}\n`);
      const canary = newSecret('no-keychain');
      const record = join(gatehouse.base, 'record.jsonl');
      const bystander = await gatehouse.key('bystander');

      const words = ['upstreams', 'add', 'rec', '--env', 'TOKEN', '--', process.execPath, RECORDER, record];
      const added = await gatehouse.cli(words, `${canary}\n`);
      expect(added).toEqual({ code: 1, stdout: '', stderr: `gatehouse: ${NO_KEYCHAIN}\n` });

      const served = await withinASecond(() => gatehouse.call(bystander, 'demo__list_notes'));
      expect(served.message?.result).toHaveProperty('structuredContent');
      expect((await gatehouse.ask('upstreamsList')).map(({ name }) => name)).toEqual(['demo']);
      expect(existsSync(record)).toBe(false);
      const entries = await gatehouse.audit((all) => all.some(({ kind }) => kind === 'tool_call'));
      expect(entries.filter(({ outcome }) => outcome === 'refused')).toMatchObject([
        {
          kind: 'secret_refused',
          errorClass: 'secret_unavailable',
          upstream: 'rec',
          detail: { secrets: ['TOKEN'], reason: NO_KEYCHAIN },
        },
      ]);
      expect((await gatehouse.ask('status')).banners).toContain(NO_KEYCHAIN);
      await gatehouse.stop();
      expect(filesUnder(gatehouse.folder)).toContain(join(gatehouse.folder, 'state.db'));
      expect(sweep(gatehouse.base, canary)).toEqual([]);
    },
  );

  test('L17 (design: keyring): a secret whose keychain is gone fails its call with 41017; nothing is started, others are served', async () => {
    const folder = newFolder();
    const keychain = createMemoryKeychain();
    const record = join(folder, 'record.jsonl');
    await using before = await startGatehouse({ folder, platform: { keychain } });
    const key = await before.key({ name: 'agent' });
    const bystander = await before.key({ name: 'bystander' });
    const added = await before.ask('upstreamAdd', {
      name: 'rec',
      transport: { kind: 'stdio', command: process.execPath, args: [RECORDER, record], secretEnv: ['TOKEN'] },
      secrets: { TOKEN: 'value' },
    });
    if (added.kind !== 'done') throw new Error(added.message);
    const tools = await eventually(async () => {
      const listed = await before.ask('toolsList', { upstream: 'rec' });
      return listed.length > 0 ? listed : null;
    }, 'the tools');
    const accept = tools.map(({ name, fingerprint }) => ({ name, fingerprint, risk: 'read' as const }));
    expect(await before.ask('toolsReview', { upstream: added.upstream.id, accept })).toMatchObject({ kind: 'done' });
    expect((await before.call(key.secret, 'rec__echo', '{"text":"hello"}')).message?.result).not.toHaveProperty(
      'isError',
    );
    await before.close();
    const reached = recorded(record).length;

    for (const mood of ['absent', 'open'] as const) {
      // `open` is a new, empty keychain: its key is another one, and a lost key is no reason to make a new one.
      const other = createMemoryKeychain(mood);
      if (mood === 'open')
        for (const [item, value] of keychain.items) if (item !== 'master-key') other.items.set(item, value);
      await using after = await startGatehouse({ folder, platform: { keychain: other } });
      const answer = await after.call(key.secret, 'rec__echo', '{"text":"again"}');
      expect(answer.message?.result).toMatchObject({
        isError: true,
        _meta: { 'gatehouse/code': 41017, 'gatehouse/class': 'secret_unavailable' },
      });
      expect(recorded(record)).toHaveLength(reached);
      const served = await withinASecond(() => after.call(bystander.secret, 'demo__list_notes'));
      expect(served.message?.result).not.toHaveProperty('isError');
      const entries = await after.audit((all) => all.filter(({ phase }) => phase === 'ended').length > 2);
      expect(entries.filter(({ errorClass, phase }) => phase === 'ended' && errorClass !== null).at(-1)).toMatchObject({
        upstream: 'rec',
        outcome: 'failed',
        errorClass: 'secret_unavailable',
        client: 'agent',
      });
      expect(other.items.has('master-key')).toBe(false);
      await after.close();
    }
    await using again = await startGatehouse({ folder, platform: { keychain } });
    expect((await again.call(key.secret, 'rec__echo', '{"text":"back"}')).message?.result).not.toHaveProperty(
      'isError',
    );
  });

  test('L17 (design: keyring): with GATEHOUSE_MASTER_KEY_FILE the person said so: secrets are sealed under a file only they can read', async () => {
    await using gatehouse = await startHeadless();
    const canary = newSecret('key-file');
    const record = join(gatehouse.base, 'tmp', 'record.jsonl');
    await gatehouse.add('rec', { args: [RECORDER, record], secrets: { TOKEN: canary } });
    await eventually(() => recorded(record)[0] ?? null, 'the upstream');
    expect(recorded(record)[0]).toMatchObject({ kind: 'started', env: { TOKEN: canary } });
    expect(statSync(join(gatehouse.base, 'master-key')).mode & 0o777).toBe(0o600);
    expect((await gatehouse.ask('status')).banners).toEqual([]);
    expect(sweep(gatehouse.folder, canary)).toEqual([]);
  });
});
