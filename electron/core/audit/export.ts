import { closeSync, fchmodSync, fsyncSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type Database from 'better-sqlite3';
import { privateFolder, stamp } from '../store/files.ts';
import type { CommitRow } from './entry.ts';
import { announcedKeyAt, chainSource } from './rows.ts';
import { keyId, pemOf } from './signing.ts';

export interface ExportOptions {
  readonly folder: string;
  readonly at: number;
  readonly version: string;
  /** Base64 SPKI; null: the key that the log names is given. */
  readonly publicKey: string | null;
}

const CHUNK = 1_000;

/**
 * Writes `<folder>/exports/audit-<time>.jsonl`: a header with public key and signed head, then every entry and every
 * signed commit in order, one JSON text a line (`docs/audit-format.md`). Yields after every chunk.
 */
export function* exportLines(
  db: Database.Database,
  { folder, at, version, publicKey }: ExportOptions,
): Generator<{ readonly done: number; readonly of: number }, { readonly path: string; readonly entries: number }> {
  const source = chainSource(db);
  const head = db.prepare<[], CommitRow>('SELECT * FROM commits ORDER BY seq DESC LIMIT 1').get() ?? null;
  const upTo = head?.seq ?? 0;
  const begins = source.checkpoint?.seq ?? 0;
  const key = publicKey ?? announcedKeyAt(db, upTo);
  const exports = join(folder, 'exports');
  privateFolder(exports);
  const path = join(exports, `audit-${stamp(at)}.jsonl`);
  const fd = openSync(path, 'wx', 0o600);
  try {
    fchmodSync(fd, 0o600);
    const header = {
      type: 'header',
      format: 'gatehouse-audit',
      formatVersion: 2,
      gatehouseVersion: version,
      exportedAt: new Date(at).toISOString(),
      entries: Math.max(0, upTo - begins),
      checkpoint: source.checkpoint,
      publicKey: key === null ? null : pemOf(key),
      keyId: key === null ? null : keyId(key),
      head: head && { number: head.number, seq: head.seq, hash: head.hash, signature: head.signature },
    };
    writeFileSync(fd, `${JSON.stringify(header)}\n`);
    let entries = 0;
    for (let after = begins; after < upTo; ) {
      const rows = source.entries(after, CHUNK).filter((row) => row.seq <= upTo);
      const last = rows.at(-1)?.seq ?? upTo;
      const commits = source.commits(after, CHUNK).filter((commit) => commit.seq <= last);
      const lines = [
        ...rows.map((row) => ({ at: row.seq, order: 0, line: JSON.stringify({ type: 'entry', ...row }) })),
        ...commits.map((commit) => ({ at: commit.seq, order: 1, line: JSON.stringify({ type: 'commit', ...commit }) })),
      ].toSorted((a, b) => a.at - b.at || a.order - b.order);
      if (lines.length > 0) writeFileSync(fd, `${lines.map((each) => each.line).join('\n')}\n`);
      entries += rows.length;
      after = last;
      yield { done: last, of: upTo };
    }
    fsyncSync(fd);
    closeSync(fd);
    return { path, entries };
  } catch (error) {
    closeSync(fd);
    // Half an export would be taken for a whole one.
    rmSync(path, { force: true });
    throw error;
  }
}
