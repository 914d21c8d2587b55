import { existsSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { VerifyReport } from '../../../shared/model.ts';
import type { Keychain } from '../platform.ts';
import { BUSY_TIMEOUT_MS, faultOf } from '../store/database.ts';
import { readAnchor } from './anchor.ts';
import { finish, type Trust, verifyChain } from './chain.ts';
import { chainSource, ownAnchor } from './rows.ts';
import { readSigningKey } from './signing.ts';

/**
 * Checks the log of a data folder while no Gatehouse runs on it (or while one does: it only reads). Changes nothing,
 * makes no key. Never throws for what the file is like: a damaged one is a report with `ok: false`.
 */
export async function verifyAudit(folder: string, keychain: Keychain): Promise<VerifyReport> {
  const path = join(folder, 'audit.db');
  const trust = await readTrust(folder, keychain);
  if (!existsSync(path)) return unreadable(trust, `There is no audit log in ${folder}. Is it the right --data folder?`);
  let db: Database.Database | null = null;
  try {
    db = new Database(path, { readonly: true, fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
    const check = db.pragma('quick_check(1)', { simple: true });
    if (check !== 'ok') return unreadable(trust, `${path} is damaged: ${String(check)}.`);
    return finish(verifyChain(chainSource(db), { ...trust, anchor: ownAnchor(db, trust.anchor) }));
  } catch (error) {
    const fault = faultOf(error, path);
    if (fault === null && !(error instanceof Database.SqliteError)) throw error;
    return unreadable(trust, fault?.message ?? `${path} is not an audit log of Gatehouse.`);
  } finally {
    db?.close();
  }
}

/** Everything that verification rests on outside the log, and in words what that leaves open. */
export async function readTrust(folder: string, keychain: Keychain): Promise<Trust> {
  const anchor = await readAnchor(keychain, folder);
  const key = await readSigningKey(keychain, folder);
  const notes: string[] = [];
  if (key.kind === 'missing')
    notes.push('There is no signing key: signatures are checked against the key that the log itself names.');
  if (key.kind === 'unavailable')
    notes.push(`${key.reason} Signatures are checked against the key that the log itself names.`);
  if (key.kind === 'found' && key.key.keptIn === 'file') {
    notes.push(
      'The signing key is in a file, because there is no keychain: whoever can read the data folder can also forge the log.',
    );
  }
  if (anchor.kind === 'missing')
    notes.push('No head is anchored in the keychain: entries cut off at the end would not be seen.');
  if (anchor.kind === 'unavailable') {
    notes.push(`The anchored head cannot be read, so entries cut off at the end would not be seen. ${anchor.reason}`);
  }
  return {
    publicKey: key.kind === 'found' ? key.key.publicKey : null,
    keptIn: key.kind === 'found' ? key.key.keptIn : 'none',
    anchor: anchor.kind === 'found' ? anchor.anchor : null,
    notes,
  };
}

/** The report on a log of which not even the entries can be read. */
export function unreadable(trust: Trust, problem: string): VerifyReport {
  return {
    ok: false,
    entries: 0,
    firstSeq: null,
    lastSeq: null,
    head: null,
    badSeq: null,
    problem,
    signingKey: trust.keptIn,
    publicKey: trust.publicKey,
    notes: trust.notes,
  };
}
