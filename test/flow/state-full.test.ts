import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { RequestInput, RequestName } from '../../shared/api.ts';
import { eventually } from '../support/gatehouse.ts';
import { newBase, RECORDER, reached, recorded, startHeadless } from '../support/headless.ts';
import { CAN_MOUNT, fill, mountTmpfs, unmount } from '../support/tmpfs.ts';

// Whoever may not mount cannot have a disk of three megabytes.
const onDisk = CAN_MOUNT ? test : () => {};
onDisk(
  'while the disk of the settings is full every change says so in a sentence and changes nothing; with space it goes on by itself',
  { timeout: 90_000 },
  async () => {
    const base = newBase();
    const folder = join(base, 'data');
    mkdirSync(folder, { mode: 0o700 });
    mountTmpfs(folder, 'size=3m,mode=700');
    onTestFinished(() => {
      unmount(folder);
      rmSync(base, { recursive: true, force: true });
    });
    await using gatehouse = await startHeadless({ base, folder });
    const record = join(base, 'tmp', 'record.jsonl');
    const { id } = await gatehouse.add('rec', { args: [RECORDER, record, '--tools=echo', '--later=late'] });
    await gatehouse.review('rec', 'write');
    const key = await gatehouse.key('agent');
    await gatehouse.key('other');
    const parked = gatehouse.call(key, 'rec__echo', '{"text":"parked"}');
    const card = await gatehouse.card();
    const [client] = await gatehouse.ask('clientsList');
    const [tool] = await gatehouse.ask('toolsList', { upstream: id });
    const ballast = join(folder, 'ballast');
    const before = await everything();
    fill(ballast);

    const changes: readonly (readonly [RequestName, unknown])[] = [
      ['policyImport', { yaml: 'defaultEffect: deny\nrules: []\n' }],
      ['keyCreate', { role: 'executor', name: 'one more' }],
      ['keyRevoke', { key: client?.keys[0]?.prefix ?? '' }],
      ['clientSet', { client: client?.id ?? '', tags: ['x'] }],
      ['workspaceCreate', { name: 'Apart' }],
      ['upstreamAdd', { name: 'more', transport: { kind: 'stdio', command: process.execPath, args: [RECORDER] } }],
      ['upstreamChange', { upstream: id, tags: ['x'] }],
      ['upstreamDisable', { upstream: id }],
      ['upstreamRemove', { upstream: id }],
      [
        'toolsReview',
        { upstream: id, accept: [{ name: 'echo', fingerprint: tool?.fingerprint, risk: 'destructive' }] },
      ],
      ['approvalApprove', { approval: card.id, argumentsSha256: card.argumentsSha256, scope: 'tool' }],
    ];
    for (const [name, input] of changes) expect(await attempt(name, input), name).toMatch(SAYS);
    expect(await everything()).toEqual(before);

    // What happens by itself meanwhile ends nothing of ours: a list that has grown, and a process that ended.
    const pid = Number(recorded(record)[0]?.pid);
    process.kill(pid, 'SIGUSR2');
    await untilRec(
      'ready',
      /^What is known of rec cannot be saved\. The disk that holds \S+ is full\. Free some space on it\. Gatehouse tries again by itself\.$/,
    );
    process.kill(pid, 'SIGKILL');
    await untilRec('failed', /^What is known of rec cannot be saved\. /);
    expect(await everything()).toEqual(before);

    rmSync(ballast);
    await untilRec('ready', null);
    expect(await gatehouse.ask('status')).toMatchObject({ healthy: true, banners: [] });
    // The answer that could not be saved was lost to nobody: the card is there, and its call runs once.
    await gatehouse.approve(card);
    expect((await parked).message?.result).toMatchObject({ content: [{ text: '{"text":"parked"}' }] });
    expect(reached(record)).toHaveLength(1);
    for (const [name, input] of changes.slice(0, 5))
      expect(await attempt(name, input), name).toContain('"kind":"done"');
    expect(await gatehouse.ask('auditVerify')).toMatchObject({ ok: true, problem: null });

    /** What the person reads: of a refusal, or of a request that failed. */
    async function attempt(name: RequestName, input: unknown): Promise<string> {
      return gatehouse.ask(name, input as RequestInput<typeof name>).then(
        (result) => JSON.stringify(result),
        (error: unknown) => String(error),
      );
    }
    function untilRec(status: string, reason: RegExp | null) {
      return eventually(
        async () => {
          const rec = (await gatehouse.ask('upstreamsList')).find(({ name }) => name === 'rec');
          if (rec?.status !== status) return null;
          return (reason === null ? rec.reason === null : reason.test(rec.reason ?? '')) ? true : null;
        },
        `rec to be ${status}`,
        20_000,
      );
    }
    async function everything() {
      return {
        policy: await gatehouse.ask('policyExport'),
        clients: await gatehouse.ask('clientsList'),
        workspaces: await gatehouse.ask('workspacesList'),
        upstreams: (await gatehouse.ask('upstreamsList')).map(({ name, tags, enabled }) => ({ name, tags, enabled })),
        tools: (await gatehouse.ask('toolsList')).map(({ name, state, risk }) => ({ name, state, risk })),
        waiting: (await gatehouse.ask('approvalsList', { state: 'waiting' })).map((one) => one.id),
        standing: await gatehouse.ask('standingList'),
      };
    }
  },
);

const SAYS =
  /This was not done\. The disk that holds \S+state\.db is full\. Free some space on it\.|The answer cannot be saved, so nothing was run \(.+\)\. See that the data folder can be written, then answer again\./;
