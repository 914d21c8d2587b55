import { closeSync, fchmodSync, fsyncSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type Database from 'better-sqlite3';
import type { AuditRecordView } from '../../../shared/model.ts';
import { privateFolder, stamp } from '../store/files.ts';
import type { AuditQuery } from './audit.ts';
import { csvHead, csvLine } from './csv.ts';
import { findRecords, recordReader } from './queries.ts';

export interface RecordsExport {
  readonly folder: string;
  readonly at: number;
  readonly format: 'jsonl' | 'csv';
  readonly query: AuditQuery;
}

/** What an export has written so far, and of how much. */
export interface ExportProgress {
  readonly done: number;
  /** Null: not known before it is done. */
  readonly of: number | null;
}

const CHUNK = 500;

/**
 * Writes the records that a query finds, newest first, one a line, into `exports/`: for spreadsheets and other programs.
 * It proves nothing by itself (the hashes in it can be compared with the log); the whole log can be exported as proof.
 * Yields after every chunk.
 */
export function* exportRecords(
  index: Database.Database,
  log: Database.Database,
  { folder, at, format, query }: RecordsExport,
): Generator<ExportProgress, { readonly path: string; readonly entries: number; readonly records: number }> {
  const exports = join(folder, 'exports');
  privateFolder(exports);
  const path = join(exports, `audit-records-${stamp(at)}.${format}`);
  const fd = openSync(path, 'wx', 0o600);
  try {
    fchmodSync(fd, 0o600);
    writeFileSync(fd, format === 'csv' ? csvHead() : `${JSON.stringify(headerOf(at, query))}\n`);
    const read = recordReader(log);
    let [records, entries] = [0, 0];
    for (let before: number | null = null; ; ) {
      const found = findRecords(index, query, before, CHUNK);
      const whole = found.map(read).filter((record) => record.entries.length > 0);
      writeFileSync(fd, whole.map(format === 'csv' ? csvLine : jsonLine).join(''));
      records += whole.length;
      entries += whole.reduce((sum, record) => sum + record.entries.length, 0);
      before = found.at(-1)?.first ?? null;
      if (found.length < CHUNK) break;
      yield { done: records, of: null };
    }
    fsyncSync(fd);
    closeSync(fd);
    return { path, entries, records };
  } catch (error) {
    closeSync(fd);
    // Half an export would be taken for a whole one.
    rmSync(path, { force: true });
    throw error;
  }
}

function headerOf(at: number, query: AuditQuery) {
  return {
    type: 'header',
    format: 'gatehouse-audit-records',
    formatVersion: 1,
    exportedAt: new Date(at).toISOString(),
    query,
  };
}

function jsonLine(record: AuditRecordView): string {
  return `${JSON.stringify({ type: 'record', ...record })}\n`;
}
