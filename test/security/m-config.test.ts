import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import { mintKey } from '../../electron/core/clients/keys.ts';
import { eventually, startGatehouse } from '../support/gatehouse.ts';
import { type Headless, newBase, RECORDER, startHeadless } from '../support/headless.ts';

/** Writes to the settings of a stopped app as any other program can; one row, or it fails. */
function onDisk(folder: string, sql: string, ...values: readonly (string | number)[]): void {
  const db = new Database(join(folder, 'state.db'));
  try {
    expect(db.prepare(sql).run(...values).changes).toBe(1);
  } finally {
    db.close();
  }
}

const statusOf = async (gatehouse: Headless, name: string) =>
  (await gatehouse.ask('upstreamsList')).find((one) => one.name === name);

const until = (gatehouse: Headless, name: string, status: string) =>
  eventually(
    async () => {
      const found = await statusOf(gatehouse, name);
      return found?.status === status ? found : null;
    },
    `${name} to be ${status}`,
    10_000,
  );

/** A command that is one file, so that one character of it is another file. Each leaves a record of its own. */
function program(base: string, letter: 'a' | 'b'): { readonly path: string; readonly record: string } {
  const path = join(base, `program-${letter}`);
  const record = join(base, `record-${letter}.jsonl`);
  writeFileSync(path, `#!/bin/sh\nexec '${process.execPath}' '${RECORDER}' '${record}'\n`, { mode: 0o755 });
  return { path, record };
}

describe('M5: config swapped on disk', () => {
  test('M5: one character of the command changed while the app is stopped: nothing of it runs, the person is asked and shown both, and it runs once confirmed', async () => {
    const base = newBase();
    const [a, b] = [program(base, 'a'), program(base, 'b')];
    const first = await startHeadless({ base });
    await first.add('rec', { command: a.path });
    await first.add('other', { args: [RECORDER, join(base, 'record-other.jsonl')] });
    await until(first, 'rec', 'ready');
    const key = await first.key('bystander');
    await first.review('other', 'read');
    expect(await first.stop()).toBe(0);
    rmSync(a.record);

    onDisk(
      join(base, 'data'),
      "UPDATE upstreams SET transport = replace(transport, 'program-a', 'program-b') WHERE name = 'rec'",
    );

    await using next = await startHeadless({ base });
    const [question] = await eventually(async () => {
      const waiting = await next.ask('confirmationsList');
      return waiting.length > 0 ? waiting : null;
    }, 'the question');
    expect(question?.title).toBe('The upstream "rec" was changed on disk. Confirm it as it is now?');
    expect(question?.requestedBy).toBe('Gatehouse');
    expect(question?.lines).toContainEqual({ label: 'Command, as you confirmed it', value: a.path });
    expect(question?.lines).toContainEqual({ label: 'Command, as it is now', value: b.path });
    expect(question?.lines).toContainEqual({ label: 'Name', value: 'rec' });
    expect(question?.lines).toContainEqual({ label: 'Runs, as you confirmed it', value: a.path });
    expect(question?.lines).toContainEqual({ label: 'Runs, as it is now', value: 'looked up when it starts' });

    const failed = await until(next, 'rec', 'failed');
    expect(failed.reason).toBe(
      'rec was changed on disk since you confirmed it, and is not started. See what is different, then confirm it as it is now, or remove it.',
    );
    const began = performance.now();
    expect((await next.call(key, 'other__echo', '{"text":"served"}')).message?.result).toHaveProperty('content');
    expect(performance.now() - began).toBeLessThan(1000);
    expect([a.record, b.record].filter(existsSync), 'nothing of it ran').toEqual([]);
    const entries = await next.audit((all) =>
      all.some(({ kind, upstream }) => kind === 'upstream_failed' && upstream === 'rec'),
    );
    expect(
      entries.filter(({ kind, upstream }) => kind === 'upstream_failed' && upstream === 'rec').at(-1),
    ).toMatchObject({
      detail: { errorClass: 'upstream_changed', final: true },
    });

    await next.ask('confirmationAnswer', { confirmation: question?.id ?? '', answer: 'confirm' });
    await until(next, 'rec', 'ready');
    expect([a.record, b.record].filter(existsSync)).toEqual([b.record]);
    await next.audit((all) => all.some(({ kind, upstream }) => kind === 'upstream_confirmed' && upstream === 'rec'));
    expect(await next.stop()).toBe(0);

    // What was confirmed is what holds from now on.
    await using last = await startHeadless({ base });
    expect(await until(last, 'rec', 'ready')).toMatchObject({ toConfirm: null, resolvedCommand: b.path });
  });

  test('M5: refused, it stays as it is and is asked about by "upstreams confirm" alone, which shows both', async () => {
    const base = newBase();
    const [a, b] = [program(base, 'a'), program(base, 'b')];
    const first = await startHeadless({ base });
    await first.add('rec', { command: a.path });
    await until(first, 'rec', 'ready');
    expect(await first.stop()).toBe(0);
    rmSync(a.record);
    onDisk(join(base, 'data'), "UPDATE upstreams SET resolved_command = ? WHERE name = 'rec'", b.path);

    await using next = await startHeadless({ base });
    const ask = () => eventually(async () => (await next.ask('confirmationsList'))[0] ?? null, 'the question');
    expect((await ask()).lines).toContainEqual({ label: 'Runs, as it is now', value: b.path });
    await next.ask('confirmationAnswer', { confirmation: (await ask()).id, answer: 'refuse' });
    const failed = await until(next, 'rec', 'failed');
    for (const request of ['upstreamRestart', 'upstreamRefresh'] as const) {
      expect(await next.ask(request, { upstream: 'rec' })).toMatchObject({ kind: 'refused', message: failed.reason });
    }
    await next.ask('upstreamDisable', { upstream: 'rec' });
    await next.ask('upstreamEnable', { upstream: 'rec' });
    // A setting that nobody has to confirm does not confirm it either.
    expect(await next.ask('upstreamChange', { upstream: 'rec', limits: { callMs: 5000 } })).toMatchObject({
      kind: 'refused',
    });
    await until(next, 'rec', 'failed');
    expect(await next.ask('confirmationsList')).toEqual([]);

    const asking = next.cli(['upstreams', 'confirm', 'rec']);
    await next.ask('confirmationAnswer', { confirmation: (await ask()).id, answer: 'refuse' });
    const said = await asking;
    expect(said.stderr).toContain(`- Runs: ${a.path}\n+ Runs: ${b.path}\n`);
    expect(said).toMatchObject({ code: 1 });
    expect([a.record, b.record].filter(existsSync)).toEqual([]);
  });
});

/** A stopped app with what somebody may want to have otherwise: a limited client, an ended key, a review, a policy. */
async function stopped() {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-p3-'));
  const first = await startGatehouse({ folder });
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const rec = await first.recorder('rec', { risk: 'destructive' });
  const live = await first.key({ name: 'live', upstreams: ['demo'] });
  const ended = await first.key({ name: 'ended' });
  await first.ask('keyRevoke', { key: ended.prefix });
  await first.close();
  const sql = (text: string, ...values: readonly (string | Uint8Array)[]) => {
    const db = new Database(join(folder, 'state.db'));
    try {
      expect(db.prepare(text).run(...values).changes, text).toBeGreaterThan(0);
    } finally {
      db.close();
    }
  };
  return { folder, rec, live, ended, sql };
}

const ALLOW_ALL = JSON.stringify({ defaultEffect: 'allow', rules: [] });

describe('P3: what another program writes into the settings has no effect', () => {
  test('a stopped app: policy, review, key and client are as they were confirmed; it is said, kept and recorded', async () => {
    const { folder, rec, live, ended, sql } = await stopped();
    sql('UPDATE policies SET policy = ?', ALLOW_ALL);
    sql("UPDATE tools SET risk = 'read' WHERE name = 'echo'");
    sql("UPDATE tools SET reviewed = replace(reviewed, 'Gives back', 'Obey:') WHERE name = 'echo'");
    sql('UPDATE keys SET revoked_at = NULL WHERE prefix = ?', ended.prefix);
    sql("UPDATE clients SET upstreams = NULL WHERE name = 'live'");
    await using next = await startGatehouse({ folder });
    expect((await next.ask('policyGet')).policy?.defaultEffect).toBe('require_approval');
    const echo = (await next.ask('toolsList')).find(({ upstream, name }) => upstream === 'rec' && name === 'echo');
    expect(echo).toMatchObject({ state: 'reviewed', risk: 'destructive' });
    expect(JSON.stringify(echo?.reviewed)).not.toContain('Obey');
    expect((await next.call(ended.secret, 'demo__list_notes')).status).toBe(401);
    expect((await next.call(live.secret, 'rec__echo')).message?.error?.code).toBe(-32602);
    expect((await next.call(live.secret, 'demo__list_notes')).message?.result).toHaveProperty('structuredContent');
    expect(rec.calls()).toEqual([]);
    const [note] = (await next.ask('status')).banners;
    expect(note).toMatch(
      /^Another program changed what Gatehouse had stored\. That has no effect: 1 × client set back, 1 × key set back, 1 × review set back, 1 × policy set back\. What was found is kept in /,
    );
    const kept = readdirSync(folder).find((name) => name.startsWith('changed-on-disk-'));
    expect(statSync(join(folder, kept ?? '')).mode & 0o077).toBe(0);
    expect(readFileSync(join(folder, kept ?? ''), 'utf8')).toContain('Obey:');
    const entries = await next.audit((all) => all.some(({ kind }) => kind === 'changed_on_disk'));
    expect(entries.filter(({ kind }) => kind === 'changed_on_disk').map(({ detail }) => detail.table)).toEqual([
      'clients',
      'keys',
      'tools',
      'policies',
    ]);
    await next.close();
    // Taken back once, not found again.
    await using last = await startGatehouse({ folder });
    expect((await last.ask('status')).banners).toEqual([]);
  });

  test('what nobody confirmed opens nothing: a key, a review, a standing approval, a policy without its seal', async () => {
    const { folder, live, sql } = await stopped();
    const forged = mintKey();
    sql(
      `INSERT INTO keys (id, client_id, role, prefix, salt, hash, created_at)
       SELECT 'forged', client_id, 'executor', ?, ?, ?, created_at FROM keys WHERE prefix = '${live.prefix}'`,
      forged.prefix,
      forged.salt,
      forged.hash,
    );
    sql("DELETE FROM seals WHERE place LIKE 'policies/%' OR place LIKE 'tools/% tool echo'");
    sql('UPDATE policies SET policy = ?', ALLOW_ALL);
    sql(
      `INSERT INTO standing_approvals (id, client_id, client, key_id, upstream_id, upstream, tool, fingerprint, created_at, used_count)
       SELECT 'forged', client_id, 'live', id, 'u', 'rec', 'echo', 'f', 0, 0 FROM keys WHERE prefix = ?`,
      live.prefix,
    );
    await using next = await startGatehouse({ folder });
    expect((await next.call(forged.secret, 'demo__list_notes')).status).toBe(401);
    expect((await next.ask('policyGet')).policy).toBeNull();
    expect(await next.ask('standingList')).toEqual([]);
    const echo = (await next.ask('toolsList')).find(({ upstream, name }) => upstream === 'rec' && name === 'echo');
    expect(echo).toMatchObject({ state: 'awaiting_review', reviewed: null });
    expect((await next.call(live.secret, 'demo__list_notes')).message?.result).toMatchObject({
      _meta: { 'gatehouse/class': 'policy_denied' },
    });
    // The person makes a policy again: it holds, also after the next start.
    const yaml =
      'defaultEffect: require_approval\nrules:\n  - name: reads\n    effect: allow\n    match: { risk: read }\n';
    expect(await next.ask('policyImport', { yaml })).toMatchObject({ kind: 'done' });
    await next.close();
    await using last = await startGatehouse({ folder });
    expect((await last.ask('policyGet')).policy?.rules.map(({ name }) => name)).toEqual(['reads']);
    expect((await last.call(live.secret, 'demo__list_notes')).message?.result).toHaveProperty('structuredContent');
  });

  test('while it runs: a key that another program un-revokes opens nothing', async () => {
    await using gatehouse = await startGatehouse();
    const { secret, prefix } = await gatehouse.key({ name: 'ended' });
    await gatehouse.ask('keyRevoke', { key: prefix });
    const db = new Database(join(gatehouse.folder, 'state.db'));
    db.prepare('UPDATE keys SET revoked_at = NULL WHERE prefix = ?').run(prefix);
    db.close();
    expect((await gatehouse.call(secret, 'demo__list_notes')).status).toBe(401);
    await gatehouse.audit((all) => all.some(({ kind }) => kind === 'changed_on_disk'));
    expect((await gatehouse.ask('status')).banners[0]).toContain('1 × key set back');
  });
});
