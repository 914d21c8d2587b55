import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type BetterSqlite3 from 'better-sqlite3';
import type { Keychain } from '../platform.ts';
import type { Sealer, Vault } from '../secrets/vault.ts';
import { faultOf } from '../store/database.ts';
import { codeOf } from '../store/files.ts';
import { placeOf, rowsOf, type SealedRow, type SealedTable, sealEveryChange } from './sealed-table.ts';

/**
 * What the person confirmed, sealed under the vault's key in the transaction that writes it. A row of `state.db` that is
 * not as it was sealed was changed behind our back. Without a keychain there is no key, and nothing is checked.
 */
export interface Seals {
  /** Checks all rows once the key is there; a locked keychain is asked again. */
  check(): Promise<Checked>;
  /** How a row is not what was confirmed, as far as was checked; null when it is. */
  difference(table: string, id: string): Difference | null;
  /** The person saw the difference and confirmed it. False when there is none, or the row is another one again by now. */
  accept(difference: Difference): boolean;
  /** Before the database closes: seals what was written while there was no key, if there is one by now. */
  settle(): Promise<void>;
}

export type Checked =
  | { readonly kind: 'checked' }
  /** There is no keychain: whatever stands in the file counts. */
  | { readonly kind: 'unchecked' }
  | { readonly kind: 'unavailable'; readonly reason: string };

/** `confirmed` is null where there is no seal, or none that this key opens. */
export interface Difference {
  readonly table: string;
  readonly id: string;
  readonly confirmed: SealedRow | null;
  readonly now: SealedRow;
}

export function createSeals(parts: {
  readonly db: BetterSqlite3.Database;
  readonly vault: Vault;
  readonly keychain: Keychain;
  readonly folder: string;
  readonly tables: readonly SealedTable[];
}): Seals {
  const { db, vault, keychain, tables } = parts;
  const begunItem = begunItemOf(parts.folder);
  const find = db.prepare<[string], Buffer>('SELECT sealed FROM seals WHERE place = ?').pluck();
  const put = db.prepare(
    'INSERT INTO seals (place, sealed) VALUES (?, ?) ON CONFLICT (place) DO UPDATE SET sealed = excluded.sealed',
  );
  /** By place: what a row was before we changed it without a key; null: it was not there. */
  const unsealed = new Map<string, string | null>();
  const differences = new Map<string, Difference>();
  let sealer: Sealer | null = null;
  let checking: Promise<Checked> | null = null;

  db.function('seal', (place: string, before: string | null, after: string | null, sealed: Buffer | null) => {
    if (after === null) return null;
    if (sealer === null) {
      if (!unsealed.has(place)) unsealed.set(place, before);
      return null;
    }
    // A change of one column does not confirm the others: on what was changed behind our back it seals nothing.
    const isOurs = before === null || (sealed !== null && sealer.unseal(place, sealed) === before);
    return isOurs ? sealer.seal(place, after) : null;
  });
  for (const table of tables) sealEveryChange(db, table);

  async function attempt(): Promise<Checked> {
    const state = await vault.state();
    if (state.kind === 'absent') return { kind: 'unchecked' };
    const opened = vault.sealer();
    if (state.kind !== 'ready' || opened === null) {
      return { kind: 'unavailable', reason: 'reason' in state ? state.reason : CLOSING };
    }
    // Rows without a seal are older than seals, once. In the keychain too, because whoever can write the file could take
    // the seals out of it and have everything in it taken for old.
    const noted = state.by === 'file' ? MISSING : await keychain.read(begunItem);
    if (noted.kind === 'locked' || noted.kind === 'absent') return { kind: 'unavailable', reason: noted.reason };
    if (!db.open) return { kind: 'unavailable', reason: CLOSING };
    const isFirst = noted.kind === 'missing' && find.get(BEGUN) === undefined;
    try {
      db.transaction(() => {
        for (const table of tables) checkTable(table, opened, isFirst);
        put.run(BEGUN, opened.seal(BEGUN, BEGUN));
      })();
    } catch (error) {
      // A full disk: nothing was sealed, and whoever waits for the check asks again.
      const fault = codeOf(error).startsWith('SQLITE_') ? faultOf(error, db.name) : null;
      if (fault === null) throw error;
      return { kind: 'unavailable', reason: fault.message };
    }
    sealer = opened;
    unsealed.clear();
    // What was not written now is written by the next start: until then the file alone says it.
    if (noted.kind === 'missing' && state.by === 'keychain') await keychain.write(begunItem, 'yes');
    return { kind: 'checked' };
  }

  function checkTable(table: SealedTable, opened: Sealer, isFirst: boolean): void {
    for (const [id, text] of rowsOf(db, table)) {
      const place = placeOf(table.table, id);
      const sealed = find.get(place);
      const confirmed = sealed === undefined ? null : opened.unseal(place, sealed);
      if (confirmed === text) continue;
      const before = unsealed.get(place);
      if (isFirst || before === null || (before !== undefined && before === confirmed)) {
        put.run(place, opened.seal(place, text));
      } else {
        differences.set(place, { table: table.table, id, confirmed: rowOrNull(confirmed), now: rowOf(text) });
      }
    }
  }

  async function check(): Promise<Checked> {
    if (sealer !== null) return { kind: 'checked' };
    checking ??= attempt().finally(() => {
      checking = null;
    });
    return checking;
  }

  return {
    check,
    async settle() {
      if (unsealed.size > 0) await check();
    },
    difference: (table, id) => differences.get(placeOf(table, id)) ?? null,
    accept(difference) {
      const { table, id } = difference;
      const place = placeOf(table, id);
      const sealed = tables.find((one) => one.table === table);
      const text = sealed === undefined ? undefined : rowsOf(db, sealed).get(id);
      const isSeen =
        differences.get(place) === difference && isDeepStrictEqual(rowOrNull(text ?? null), difference.now);
      if (sealer === null || text === undefined || !isSeen) return false;
      put.run(place, sealer.seal(place, text));
      differences.delete(place);
      return true;
    },
  };
}

/** One item per data folder, because every Gatehouse of this person shares the keychain. */
function begunItemOf(folder: string): string {
  return `seals ${createHash('sha256').update(folder).digest('hex').slice(0, 12)}`;
}

function rowOf(text: string): SealedRow {
  return JSON.parse(text) as SealedRow;
}

function rowOrNull(text: string | null): SealedRow | null {
  return text === null ? null : rowOf(text);
}

const MISSING = { kind: 'missing' } as const;
/** No table has this name, so it is no row's place. */
const BEGUN = 'begun';
const CLOSING = 'Gatehouse is closing.';
