import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { type EntryRow, entryHash } from '../../electron/core/audit/entry.ts';
import type { RequestInput } from '../../shared/api.ts';
import type { SinkView } from '../../shared/model.ts';
import { eventually, type TestGatehouse } from './gatehouse.ts';
import { jsonLines } from './lines.ts';
import type { TestPostgres } from './postgres.ts';

export function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'gatehouse-sinks-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

export async function addSink(
  gatehouse: TestGatehouse,
  name: string,
  target: RequestInput<'sinkAdd'>['target'],
  secrets: Readonly<Record<string, string>> = {},
): Promise<void> {
  const added = await gatehouse.ask('sinkAdd', { name, target, secrets });
  if (added.kind !== 'done') throw new Error(added.message);
}

/** So many calls of the demo that were answered, from a client of its own; its key. */
export async function called(gatehouse: TestGatehouse, times: number): Promise<string> {
  const tools = await gatehouse.ask('toolsList', {});
  const demo = tools.filter(({ upstream }) => upstream === 'demo');
  const [first] = demo;
  if (first === undefined) throw new Error('the demo lists nothing');
  await gatehouse.ask('toolsReview', {
    upstream: first.upstreamId,
    accept: demo.map(({ kind, name, fingerprint, proposedRisk }) => ({ kind, name, fingerprint, risk: proposedRisk })),
  });
  const key = await gatehouse.key();
  for (let n = 0; n < times; n += 1) {
    const answer = await gatehouse.call(key.secret, 'demo__list_notes');
    expect(answer.message?.result?.isError).not.toBe(true);
  }
  return key.secret;
}

/** The sink, once `until` holds of it; else once everything was delivered. */
export function upToDate(
  gatehouse: TestGatehouse,
  name: string,
  until: (sink: SinkView) => boolean = ({ state, waiting, headSeq }) =>
    state === 'up_to_date' && waiting === 0 && headSeq > 0,
): Promise<SinkView> {
  let last: unknown = null;
  return eventually(
    async () => {
      const sink = (await gatehouse.ask('sinksList')).find((one) => one.name === name);
      last = sink;
      return sink !== undefined && until(sink) ? sink : null;
    },
    `the sink ${name}`,
    25_000,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${JSON.stringify(last)}`);
  });
}

export type Line = EntryRow & { readonly type: string; readonly chain: string };

export function linesOf(path: string): readonly Line[] {
  return jsonLines<Line>(path);
}

/** From the first entry on, without a gap or a repetition, each hash that of its own content and of the one before. */
export function expectWholeChain(entries: readonly EntryRow[]): void {
  expect(entries.length).toBeGreaterThan(0);
  let prev = '0'.repeat(64);
  entries.forEach((entry, n) => {
    expect(entry.seq).toBe(n + 1);
    expect(entry.prev).toBe(prev);
    expect(entryHash(entry)).toBe(entry.hash);
    prev = entry.hash;
  });
}

export function numbered(row: EntryRow): EntryRow {
  return { ...row, seq: Number(row.seq), at: Number(row.at) };
}

export function postgresTarget({ port, user, database }: TestPostgres): RequestInput<'sinkAdd'>['target'] {
  return { kind: 'postgres', host: '127.0.0.1', port, user, database, tls: 'off', password: true };
}
