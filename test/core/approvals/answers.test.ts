import { describe, expect, test } from 'vitest';
import { client, sha256, world } from '../../support/approvals-world.ts';

const TEXT = '{"path":"/a","n":9007199254740993}';
const EDITED = '{ "path" : "/b", "n":9007199254740993 }';
const may = { checkEdited: () => null };

describe('edited, then approved', () => {
  const edit = (w: ReturnType<typeof world>, edited = EDITED, by = 'dashboard') =>
    w.approvals.approve(w.only().id, { argumentsSha256: sha256(TEXT), scope: 'once', edited }, by);

  test('what the person wrote is what runs, and the card keeps both digests', async () => {
    const w = world();
    const { answer } = w.call(may);
    await w.settle();
    expect(w.only()).toMatchObject({ editable: true, editedSha256: null });
    expect(edit(w)).toMatchObject({ kind: 'done' });
    expect(await answer).toMatchObject({
      kind: 'approved',
      argumentsText: EDITED,
      edited: true,
      approval: { argumentsSha256: sha256(TEXT), editedSha256: sha256(EDITED) },
    });
    expect(w.approvals.list('all')).toMatchObject([{ editedSha256: sha256(EDITED), argumentsSha256: sha256(TEXT) }]);
  });

  test('the same text again is no edit', async () => {
    const w = world();
    const { answer } = w.call(may);
    await w.settle();
    edit(w, TEXT);
    expect(await answer).toMatchObject({ argumentsText: TEXT, edited: false, approval: { editedSha256: null } });
  });

  test('why it cannot run is the answer, and the card waits on as it was', async () => {
    const w = world();
    w.call({ checkEdited: (text) => (text === EDITED ? 'A rule denies it.' : null) });
    await w.settle();
    expect(edit(w)).toEqual({ kind: 'refused', message: 'A rule denies it.' });
    expect(w.only()).toMatchObject({ state: 'waiting', editedSha256: null });
    expect(edit(w, '{"path":"/c"}')).toMatchObject({ kind: 'done' });
  });

  test('not where the call cannot be edited, not from a notification, not for longer than once', async () => {
    const w = world();
    const { leave } = w.call();
    await w.settle();
    expect(edit(w)).toMatchObject({ kind: 'refused', message: expect.stringContaining('cannot be edited') });
    w.approvals.deny(w.only().id, '', 'dashboard');
    leave();
    w.call({ ...may, tool: 'other' });
    await w.settle();
    expect(edit(w, EDITED, 'notification')).toMatchObject({ kind: 'refused' });
    const lasting = { argumentsSha256: sha256(TEXT), scope: 'session', edited: EDITED } as const;
    expect(w.approvals.approve(w.only().id, lasting, 'dashboard')).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('this one call'),
    });
  });

  test('after the caller left, the unedited call redeems it once; the edited text as a call is another call', async () => {
    const w = world();
    const first = w.call({ ...may, holdMs: 0 });
    await first.answer;
    edit(w);
    expect(await w.call({ ...may, argumentsText: EDITED, holdMs: 0 }).answer).toMatchObject({ kind: 'pending' });
    expect(await w.call({ ...may, argumentsText: `${TEXT} ` }).answer).toMatchObject({
      kind: 'approved',
      argumentsText: EDITED,
      edited: true,
    });
    expect(await w.call({ ...may, holdMs: 0 }).answer).toMatchObject({ kind: 'pending' });
  });

  test('trust in the tool does not outweigh what the person wrote for this very call', async () => {
    const w = world();
    await w.call({ ...may, holdMs: 0 }).answer;
    const edited = w.only();
    w.call({ ...may, argumentsText: '{"path":"/other"}' });
    await w.settle();
    w.approvals.approve(edited.id, { argumentsSha256: sha256(TEXT), scope: 'once', edited: EDITED }, 'dashboard');
    w.yes(w.only().id, 'tool', '{"path":"/other"}');
    const { client: by, ...bound } = { ...w.call({ holdMs: 0, tool: 'x' }).request, clientId: 'c1' };
    const same = { ...bound, tool: 'write_file' };
    expect(by.id).toBe('c1');
    expect(w.approvals.standingFor({ ...same, argumentsText: TEXT })).toBeNull();
    expect(await w.call(may).answer).toMatchObject({ kind: 'approved', argumentsText: EDITED });
    expect(w.approvals.standingFor({ ...same, argumentsText: TEXT })).not.toBeNull();
  });
});

describe('the last approved call of the tool', () => {
  test('stands on the next card of the same client and tool, as it ran, and on no other', async () => {
    const w = world();
    const first = w.call(may);
    await w.settle();
    expect(w.only().previous).toBeNull();
    const at = w.clock.now();
    w.approvals.approve(w.only().id, { argumentsSha256: sha256(TEXT), scope: 'once', edited: EDITED }, 'dashboard');
    await first.answer;
    for (const [more, previous] of [
      [{}, { at, argumentsText: EDITED }],
      [{ fingerprint: 'f2' }, { at, argumentsText: EDITED }],
      [{ tool: 'x' }, null],
      [{ upstreamId: 'x' }, null],
      [{ connection: { id: 'c-x', label: 'x' } }, null],
      [{ client: client('c2') }, null],
    ] as const) {
      w.call({ argumentsText: '{"n":2}', ...more });
      await w.settle();
      expect(w.approvals.list('waiting').at(-1)?.previous, JSON.stringify(more)).toEqual(previous);
    }
  });

  test('a text too long to be kept is said to be so, and after a restart there is none', async () => {
    const w = world();
    const argumentsText = JSON.stringify({ text: 'x'.repeat(70_000) });
    w.call({ argumentsText });
    await w.settle();
    w.yes(w.only().id, 'once', argumentsText);
    w.call();
    await w.settle();
    expect(w.only().previous).toEqual({ at: w.clock.now(), argumentsText: null });
    const after = world({ db: w.db, schema: false });
    after.call();
    await after.settle();
    expect(after.only().previous).toBeNull();
  });
});

describe('several calls of one tool by one client are one card', () => {
  const burst = (w: ReturnType<typeof world>, count: number, more = {}) =>
    Array.from({ length: count }, (_, n) => w.call({ argumentsText: `{"n":${n}}`, holdMs: 0, ...more }).answer);

  test('of up to 50 rows, each with a card id and a caller of its own', async () => {
    const w = world();
    const answers = await Promise.all(burst(w, 60));
    expect(answers.filter(({ kind }) => kind === 'pending')).toHaveLength(50);
    expect(answers.at(-1)).toEqual({ kind: 'too_many', limit: 50, scope: 'tool' });
    const rows = w.approvals.list('waiting');
    expect([new Set(rows.map(({ group }) => group)).size, new Set(rows.map(({ id }) => id)).size]).toEqual([1, 50]);
    // The rows are one card: four more tools may ask, a fifth may not.
    for (const tool of ['a', 'b', 'c', 'd']) {
      expect(await w.call({ tool, holdMs: 0 }).answer).toMatchObject({ kind: 'pending' });
    }
    expect(await w.call({ tool: 'e' }).answer).toEqual({ kind: 'too_many', limit: 5, scope: 'client' });
    expect(await w.call({ client: client('c2'), holdMs: 0 }).answer).toMatchObject({ kind: 'pending' });
  });

  test('of no more text than a person could read and memory should hold', async () => {
    const w = world();
    const long = (n: number) => JSON.stringify({ n, text: 'x'.repeat(3_000_000) });
    for (const n of [1, 2])
      expect(await w.call({ argumentsText: long(n), holdMs: 0 }).answer).toMatchObject({ kind: 'pending' });
    expect(await w.call({ argumentsText: long(3) }).answer).toEqual({ kind: 'too_many', limit: 2, scope: 'tool' });
  });

  test('of the same connection, definition and risk alone', async () => {
    const w = world();
    const others = [
      {},
      { connection: { id: 'c-work', label: 'work' } },
      { fingerprint: 'f2' },
      { risk: 'destructive' } as const,
    ];
    for (const [n, more] of others.entries()) w.call({ argumentsText: `{"n":${n}}`, ...more });
    await w.settle();
    expect(new Set(w.approvals.list('waiting').map(({ group }) => group)).size).toBe(4);
  });

  test('one no to many is one denial for the tool, and each of them is denied by itself when it is made again', async () => {
    const w = world();
    const answers = burst(w, 4, { holdMs: 50_000 });
    await w.settle();
    const ids = w.approvals.list('waiting').map(({ id }) => id);
    expect(w.approvals.denyMany([...ids, 'unknown'], 'Not now.', 'dashboard').map(({ kind }) => kind)).toEqual([
      ...Array(4).fill('done'),
      'refused',
    ]);
    expect(await Promise.all(answers)).toMatchObject(Array(4).fill({ kind: 'denied', reason: 'Not now.' }));
    for (const n of [0, 1, 2, 3])
      expect(await w.call({ argumentsText: `{"n":${n}}` }).answer).toMatchObject({ kind: 'denied' });
    expect(await w.call({ argumentsText: '{"n":9}', holdMs: 0 }).answer).toMatchObject({ kind: 'pending' });
  });
});
