import type BetterSqlite3 from 'better-sqlite3';
import { faultOf } from '../store/database.ts';
import { codeOf } from '../store/files.ts';
import type { Failure } from './channel.ts';

/**
 * The failure of an upstream whose state cannot be written down now (the disk is full, the file is held): it passes by
 * itself, so it is tried again for as long as it takes. Throws what is no error of the database: that is a bug.
 */
export function unsaved(name: string, error: unknown, db: BetterSqlite3.Database): Failure {
  if (!codeOf(error).startsWith('SQLITE_')) throw error;
  const fault = faultOf(error, db.name)?.message ?? `${db.name} cannot be read or written (${codeOf(error)}).`;
  return {
    kind: 'failure',
    errorClass: 'upstream_unreachable',
    message: `What is known of ${name} cannot be saved. ${fault} Gatehouse tries again by itself.`,
    retry: 'patient',
  };
}
