import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { UpstreamTransport } from '../../../shared/model.ts';
import { rig, stdioRecorder, waitFor } from './rig.ts';

const stdio: UpstreamTransport = { kind: 'stdio', command: '/bin/cat', args: [], secretEnv: ['TOKEN'], cwd: null };

describe('an upstream that cannot be one is refused and leaves nothing behind', () => {
  const cases: readonly (readonly [string, string, UpstreamTransport, RegExp])[] = [
    ['a name with capitals', 'Files', stdio, /cannot be the name/],
    ['a name that is too long', 'x'.repeat(33), stdio, /cannot be the name/],
    ['an empty command', 'x', { ...stdio, command: ' ' } as UpstreamTransport, /command is empty/],
    ['a relative working folder', 'x', { ...stdio, cwd: 'here' } as UpstreamTransport, /relative path/],
    [
      'an entry that loads code',
      'x',
      { ...stdio, secretEnv: ['NODE_OPTIONS'] } as UpstreamTransport,
      /decides which code/,
    ],
    [
      'an address that is none',
      'x',
      { kind: 'http', url: 'file:///etc/passwd', secretHeaders: [] },
      /no http or https address/,
    ],
    [
      'a password in the address',
      'x',
      { kind: 'http', url: 'https://me:pw@example.com/', secretHeaders: [] },
      /as a header instead/,
    ],
    [
      'secrets over plain http',
      'x',
      { kind: 'http', url: 'http://example.com/mcp', secretHeaders: ['X-Key'] },
      /plain http/,
    ],
    [
      'a header of the transport',
      'x',
      { kind: 'http', url: 'https://example.com/', secretHeaders: ['Host'] },
      /cannot be set as a header/,
    ],
    ['a value that is missing', 'x', stdio, /TOKEN has no value/],
  ];
  test.each(cases)('%s', async (_title, name, transport, reason) => {
    const it = rig();
    const added = await it.upstreams.add({ workspaceId: 'w', name, transport, tags: [], secrets: {} });
    expect(added).toMatchObject({ kind: 'refused', message: expect.stringMatching(reason) });
    expect(it.upstreams.list()).toEqual([]);
    expect(it.db.prepare('SELECT count(*) AS n FROM upstreams').get()).toEqual({ n: 0 });
  });

  test('a header value with a line break', async () => {
    const it = rig();
    const transport: UpstreamTransport = { kind: 'http', url: 'https://example.com/', secretHeaders: ['X-Key'] };
    const secrets = { 'X-Key': 'a\r\nX-Other: b' };
    expect(await it.upstreams.add({ workspaceId: 'w', name: 'x', transport, tags: [], secrets })).toMatchObject({
      message: 'The value of X-Key holds characters that no header can hold.',
    });
  });

  test('a secret that the vault cannot take: its sentence is given and nothing is stored', async () => {
    const reason = 'The keychain is locked. Unlock it and try again.';
    const it = rig({ vaultReason: reason });
    const added = await it.upstreams.add({
      workspaceId: 'w',
      name: 'x',
      transport: stdio,
      tags: [],
      secrets: { TOKEN: 't' },
    });
    expect(added).toEqual({ kind: 'refused', message: reason });
    expect(it.db.prepare('SELECT count(*) AS n FROM upstreams').get()).toEqual({ n: 0 });
    expect(it.events).toMatchObject([
      { kind: 'secret_refused', outcome: 'refused', upstream: 'x', detail: { secrets: ['TOKEN'], reason } },
    ]);
    expect(JSON.stringify(it.events)).not.toContain('"t"');
  });
});

test('a name is taken once per workspace, also when two ask at the same moment', async () => {
  const it = rig();
  const add = (workspaceId: string) =>
    it.upstreams.add({ workspaceId, name: 'x', transport: { kind: 'demo' }, tags: [], secrets: {} });
  const kinds = (await Promise.all([add('a'), add('a'), add('b')])).map((result) => result.kind);
  expect(kinds.toSorted()).toEqual(['done', 'done', 'refused']);
  expect(it.upstreams.list('a')).toHaveLength(1);
  expect(it.upstreams.byName('b', 'x')?.workspaceId).toBe('b');
});

test('secrets are in the vault at their places, never in the database, the audit or the view', async () => {
  const it = rig();
  const recorder = { ...stdioRecorder(join(it.folder, 'record')), secretEnv: ['TOKEN'] } as UpstreamTransport;
  const view = await it.addReady('x', recorder, { TOKEN: 'canary-secret' });
  expect([...it.vault.values]).toEqual([[`upstream/${view.id}/env/TOKEN`, 'canary-secret']]);
  const everything = JSON.stringify([it.db.prepare('SELECT * FROM upstreams').all(), it.events, it.upstreams.list()]);
  expect(everything).not.toContain('canary-secret');
});

test('a secret that is no longer needed is removed, and removing an upstream removes everything of it', async () => {
  const it = rig();
  const recorder = stdioRecorder(join(it.folder, 'record'));
  const view = await it.addReady('x', { ...recorder, secretEnv: ['A', 'B'] } as UpstreamTransport, {
    A: 'aaaaaa',
    B: 'bbbbbb',
  });
  await it.upstreams.change(view.id, { transport: { ...recorder, secretEnv: ['B'] } as UpstreamTransport });
  expect([...it.vault.values.keys()]).toEqual([`upstream/${view.id}/env/B`]);
  await it.until(view.id, 'ready');
  expect(await it.upstreams.remove(view.id)).toMatchObject({ kind: 'done' });
  expect([...it.vault.values.keys()]).toEqual([]);
  expect(it.inventory.tools(view.id)).toEqual([]);
  expect(it.upstreams.get(view.id)).toBeNull();
  expect(await it.call(view.id, 'echo')).toMatchObject({ kind: 'failed', errorClass: 'upstream_unreachable' });
});

test('a missing secret is secret_unavailable and names the entry', async () => {
  const it = rig();
  const recorder = { ...stdioRecorder(join(it.folder, 'record')), secretEnv: ['TOKEN'] } as UpstreamTransport;
  const view = await it.addReady('x', recorder, { TOKEN: 'canary-secret' });
  it.vault.values.clear();
  await it.upstreams.setEnabled(view.id, false);
  await it.upstreams.setEnabled(view.id, true);
  await it.until(view.id, 'failed');
  expect(await it.call(view.id, 'echo')).toEqual({
    kind: 'failed',
    errorClass: 'secret_unavailable',
    message: 'x needs a value for TOKEN, and none is stored.',
  });
});

test('a disabled upstream is not running, refuses calls at once, and stays disabled after a restart', async () => {
  const it = rig();
  const view = await it.addReady('x', stdioRecorder(join(it.folder, 'record')));
  await it.upstreams.setEnabled(view.id, false);
  expect(it.upstreams.get(view.id)).toMatchObject({ status: 'disabled', pid: null });
  expect(await it.call(view.id, 'echo')).toEqual({
    kind: 'failed',
    errorClass: 'upstream_unreachable',
    message: 'x is disabled.',
  });
  const again = rig({ db: it.db });
  again.upstreams.startAll();
  expect(again.upstreams.get(view.id)?.status).toBe('disabled');
});

test('every change is recorded, by name', async () => {
  const it = rig();
  const view = await it.addReady('x', stdioRecorder(join(it.folder, 'record')));
  await it.upstreams.change(view.id, { tags: ['files'] });
  await it.upstreams.setEnabled(view.id, false);
  await it.upstreams.setEnabled(view.id, true);
  await it.until(view.id, 'ready');
  await it.upstreams.remove(view.id);
  expect(it.events.map((event) => event.kind)).toEqual([
    'upstream_added',
    'upstream_started',
    'upstream_changed',
    'upstream_disabled',
    'upstream_stopped',
    'upstream_enabled',
    'upstream_started',
    'upstream_stopped',
    'upstream_removed',
  ]);
  expect(it.events.every((event) => event.upstream === 'x' && event.workspace === 'w')).toBe(true);
});

test('listeners are told of every state', async () => {
  const it = rig();
  const seen: string[] = [];
  it.upstreams.onChange((id) => void seen.push(it.upstreams.get(id)?.status ?? 'gone'));
  const { id } = await it.add('x', stdioRecorder(join(it.folder, 'record')));
  await it.until(id, 'ready');
  await it.upstreams.remove(id);
  await waitFor(() => seen.includes('gone'), 'the last change');
  expect(seen.filter((state, i) => state !== seen[i - 1])).toEqual(['starting', 'ready', 'gone']);
});
