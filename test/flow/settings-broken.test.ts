import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startGatehouse } from '../support/gatehouse.ts';
import { createMemoryKeychain } from '../support/memory-keychain.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-broken-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const OPEN = 'defaultEffect: allow\nrules: []\n';

/** What a dying disk, a half copy or another program leaves of a file. */
const DAMAGES: readonly (readonly [what: string, damage: (bytes: Buffer) => Buffer])[] = [
  ['4 kB in the middle', (bytes) => bytes.fill(0x5a, 8192, 8192 + 4096)],
  ['its first page', (bytes) => bytes.fill(0, 0, 4096)],
  ['its second half', (bytes) => bytes.subarray(0, Math.floor(bytes.length / 2))],
  ['everything: it is a text', () => Buffer.from('This is not a database.\n'.repeat(400))],
];

test.each(DAMAGES)(
  'a state.db that has lost %s is set aside, said and recorded; nothing of it opens anything',
  async (_, damage) => {
    const platform = { keychain: createMemoryKeychain() };
    const first = await startGatehouse({ folder, platform });
    const key = await first.key();
    await first.recorder('rec', { risk: 'read' });
    await first.ask('policyImport', { yaml: OPEN });
    expect((await first.call(key.secret, 'rec__echo', '{"text":"x"}')).message?.result).not.toHaveProperty('isError');
    const entries = (await first.audit()).length;
    await first.close();
    const path = join(folder, 'state.db');
    const whole = new Database(path);
    whole.pragma('wal_checkpoint(TRUNCATE)');
    whole.close();
    const broken = damage(readFileSync(path));
    writeFileSync(path, broken);

    await using gatehouse = await startGatehouse({ folder, platform });
    const [aside = ''] = readdirSync(folder).filter((name) => /^state\.db\.broken-\w+$/.test(name));
    expect(readFileSync(join(folder, aside)).equals(broken), 'kept byte for byte').toBe(true);
    expect((await gatehouse.ask('status')).banners).toEqual([
      `The settings database was broken and is kept as ${join(folder, aside)}. Gatehouse started with empty settings; restore your copy or set it up again. This note stays until you move that file away.`,
    ]);

    // Empty settings are closed ones: no key, no upstream but the built-in one, and the starter policy.
    expect((await gatehouse.call(key.secret, 'rec__echo', '{"text":"x"}')).status).toBe(401);
    expect(await gatehouse.ask('clientsList')).toEqual([]);
    expect((await gatehouse.ask('upstreamsList')).map(({ name }) => name)).toEqual(['demo']);
    expect((await gatehouse.ask('policyGet')).policy?.defaultEffect).toBe('require_approval');

    // The audit is another file: it goes on where it was, and says what happened.
    const all = await gatehouse.audit((now) => now.some(({ kind }) => kind === 'settings_set_aside'));
    expect(all.length).toBeGreaterThan(entries);
    expect(all.filter(({ kind }) => kind === 'settings_set_aside')).toMatchObject([
      { phase: 'event', detail: { keptAs: aside, why: 'the settings database was damaged' } },
    ]);
    expect(await gatehouse.ask('auditVerify')).toMatchObject({ ok: true, problem: null });

    // And it can be used at once.
    const fresh = await gatehouse.key();
    expect((await gatehouse.call(fresh.secret, 'demo__list_notes')).message?.result).not.toHaveProperty('isError');
  },
);
