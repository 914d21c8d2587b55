import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type BetterSqlite3 from 'better-sqlite3';
import type { Clock, Keychain } from '../platform.ts';
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
  /** What was taken back so far. */
  mended(): readonly Mended[];
  /** From now on other parts hold what they read, and what is taken back reaches them at the next start alone. */
  loaded(): void;
  /** Something was taken back too late: what other parts hold may be what nobody confirmed. */
  isStale(): boolean;
  /** Looks whether another program wrote to the file meanwhile, and takes that back; says what it took back. */
  look(): readonly Mended[];
  /** The key of the seals is lost, and the person said so: with the next one they are taken as those of another machine. */
  beginAnew(): Promise<void>;
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

export interface Mended {
  readonly difference: Difference;
  readonly how: 'set_back' | 'withdrawn';
}

export function createSeals(parts: {
  readonly db: BetterSqlite3.Database;
  readonly clock: Clock;
  readonly vault: Vault;
  readonly keychain: Keychain;
  readonly folder: string;
  readonly tables: readonly SealedTable[];
}): Seals {
  const { db, clock, vault, keychain, tables } = parts;
  const begunItem = begunItemOf(parts.folder);
  const find = db.prepare<[string], Buffer>('SELECT sealed FROM seals WHERE place = ?').pluck();
  const put = db.prepare(
    'INSERT INTO seals (place, sealed) VALUES (?, ?) ON CONFLICT (place) DO UPDATE SET sealed = excluded.sealed',
  );
  /** By place: what a row was before we changed it without a key; null: it was not there. */
  const unsealed = new Map<string, string | null>();
  const differences = new Map<string, Difference>();
  const mended: Mended[] = [];
  let isLoaded = false;
  let isLate = false;
  /** Changes when another connection has written to the file, and then alone. */
  const readVersion = db.prepare<[], number>('PRAGMA data_version').pluck();
  const dataVersion = () => readVersion.get();
  let seenVersion = dataVersion();
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
    const noted = state.by === 'file' ? MISSING : await keychain.read(begunItem);
    if (noted.kind === 'locked' || noted.kind === 'absent') return { kind: 'unavailable', reason: noted.reason };
    if (!db.open) return { kind: 'unavailable', reason: CLOSING };
    const known = noted.kind === 'found' ? noted.value.split(' ') : [];
    try {
      sealer = opened;
      db.transaction(() => {
        for (const table of tables) checkTable(table, opened, beginningOf(table, known, opened));
        for (const { table } of tables) put.run(begunPlace(table), opened.seal(begunPlace(table), BEGUN));
      })();
    } catch (error) {
      sealer = null;
      mended.length = 0;
      differences.clear();
      // A full disk: nothing was sealed, and whoever waits for the check asks again.
      const fault = codeOf(error).startsWith('SQLITE_') ? faultOf(error, db.name) : null;
      if (fault === null) throw error;
      return { kind: 'unavailable', reason: fault.message };
    }
    unsealed.clear();
    isLate = isLoaded && mended.length > 0;
    seenVersion = dataVersion();
    const now = [...new Set([...known, ...tables.map(({ table }) => table)])].join(' ');
    // What was not written now is written by the next start: until then the file alone says it.
    if (state.by === 'keychain' && now !== known.join(' ')) await keychain.write(begunItem, now);
    return { kind: 'checked' };
  }

  /**
   * Rows without a seal are older than seals, once. The keychain knows that it was, because whoever can write the file
   * could take the seals out of it and have everything in it taken for old. `foreign`: they were sealed under another key,
   * as in a folder that comes from another machine.
   */
  function beginningOf({ table }: SealedTable, known: readonly string[], opened: Sealer): Beginning {
    if (known.includes(table)) return 'begun';
    const sealed = find.get(begunPlace(table));
    if (sealed === undefined) return 'first';
    return opened.unseal(begunPlace(table), sealed) === BEGUN ? 'begun' : 'foreign';
  }

  function checkTable(table: SealedTable, opened: Sealer, beginning: Beginning): void {
    for (const [id, text] of rowsOf(db, table)) {
      const place = placeOf(table.table, id);
      const sealed = find.get(place);
      const confirmed = sealed === undefined ? null : opened.unseal(place, sealed);
      if (confirmed === text) continue;
      const before = unsealed.get(place);
      const isOld = beginning === 'first' || (beginning === 'foreign' && table.mend !== undefined);
      const isOurs = before === null || (before !== undefined && before === confirmed);
      if (isOld || isOurs || isSame(confirmed, text)) put.run(place, opened.seal(place, text));
      else takeNote(table, id, place, confirmed, text);
    }
  }

  /** What can be taken back is; the person is asked about the rest. */
  function takeNote(table: SealedTable, id: string, place: string, confirmed: string | null, text: string): void {
    const difference = { table: table.table, id, confirmed: rowOrNull(confirmed), now: rowOf(text) };
    if (table.mend === undefined) return void differences.set(place, difference);
    const sql = confirmed === null ? table.mend.withdraw : table.mend.setBack;
    db.prepare(sql).run({ id, row: confirmed, at: clock.now() });
    mended.push({ difference, how: confirmed === null ? 'withdrawn' : 'set_back' });
    const left = rowsOf(db, table, id).get(id);
    if (confirmed === null && left !== undefined && sealer !== null) put.run(place, sealer.seal(place, left));
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
    async beginAnew() {
      if (sealer === null) await keychain.remove(begunItem);
    },
    mended: () => mended,
    loaded() {
      isLoaded = true;
    },
    isStale: () => isLate,
    look() {
      if (sealer === null || dataVersion() === seenVersion) return [];
      const before = mended.length;
      const opened = sealer;
      db.transaction(() => {
        for (const table of tables) if (table.mend !== undefined) checkTable(table, opened, 'begun');
      })();
      seenVersion = dataVersion();
      return mended.slice(before);
    },
    difference: (table, id) => differences.get(placeOf(table, id)) ?? null,
    accept(difference) {
      const { table, id } = difference;
      const place = placeOf(table, id);
      const sealed = tables.find((one) => one.table === table);
      const text = sealed === undefined ? undefined : rowsOf(db, sealed, id).get(id);
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

/** The same members with the same values; one that a newer version has added is null where nobody set it. */
function isSame(confirmed: string | null, text: string): boolean {
  return confirmed !== null && isDeepStrictEqual(withoutNulls(rowOf(confirmed)), withoutNulls(rowOf(text)));
}

function withoutNulls(row: SealedRow): SealedRow {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));
}

type Beginning = 'first' | 'begun' | 'foreign';
const MISSING = { kind: 'missing' } as const;
const BEGUN = 'begun';
/** No table has this name, so it is no row's place. */
const begunPlace = (table: string) => `begun/${table}`;
const CLOSING = 'Gatehouse is closing.';
