import { setImmediate as turn } from 'node:timers/promises';
import type BetterSqlite3 from 'better-sqlite3';
import type { Client, ExposureFigures } from '../../../shared/model.ts';
import { localDay } from '../local-day.ts';
import type { Clock } from '../platform.ts';

/**
 * What lazy exposure keeps out of the clients' contexts, by client and day. Every answer to `tools/list` of the whole
 * endpoint is measured against the list that would have everything in it that the client may see and call; the results
 * of `find_tools`, which bring definitions one by one, are taken off again.
 */
export interface Exposure {
  /** A client was given this page of its list; a list counts once, with its first page. */
  listed(client: Client, tools: readonly object[], isFirst: boolean): void;
  /** A client was given a result of `find_tools` of so many bytes. */
  found(client: Client, bytes: number): void;
  /** Days as `2026-11-20`; both belong to the span, null: all there are. */
  figures(from: string | null, to: string | null): Promise<readonly ExposureRow[]>;
  close(): Promise<void>;
}

export interface ExposureRow extends ExposureFigures {
  readonly clientId: string;
  readonly day: string;
}

export const exposureSchema = `
CREATE TABLE exposure (
  client_id    TEXT NOT NULL,
  day          TEXT NOT NULL,
  lists        INTEGER NOT NULL,
  listed_bytes INTEGER NOT NULL,
  whole_bytes  INTEGER NOT NULL,
  finds        INTEGER NOT NULL,
  found_bytes  INTEGER NOT NULL,
  PRIMARY KEY (client_id, day)
) STRICT, WITHOUT ROWID;
`;

/** What is counted is written this much later, for all of it together: a list waits neither for it nor for a disk. */
const SETTLE_MS = 10_000;
/** Pages of one client that are kept until they are measured. */
const MOST_PAGES = 20;
/** Definitions that are measured before other work has its turn. */
const PIECE = 200;

interface Counted {
  client: Client;
  lists: number;
  pages: readonly (readonly object[])[];
  finds: number;
  foundBytes: number;
}

export function createExposure(parts: {
  readonly db: BetterSqlite3.Database;
  readonly clock: Clock;
  /** Everything a client could be given by `tools/list`. */
  readonly whole: (client: Client) => readonly object[];
}): Exposure {
  const { db, clock } = parts;
  const add = db.prepare(
    `INSERT INTO exposure VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (client_id, day) DO UPDATE SET
      lists = lists + excluded.lists, listed_bytes = listed_bytes + excluded.listed_bytes,
      whole_bytes = whole_bytes + excluded.whole_bytes, finds = finds + excluded.finds,
      found_bytes = found_bytes + excluded.found_bytes`,
  );
  const select = db.prepare<[{ from: string | null; to: string | null }], Row>(
    `SELECT * FROM exposure WHERE (@from IS NULL OR day >= @from) AND (@to IS NULL OR day <= @to)`,
  );
  let counted = new Map<string, Counted>();
  let cancel: (() => void) | null = null;
  let settling: Promise<void> = Promise.resolve();

  function of(client: Client): Counted {
    cancel ??= clock.after(SETTLE_MS, () => void settle());
    const known = counted.get(client.id) ?? { client, lists: 0, pages: [], finds: 0, foundBytes: 0 };
    counted.set(client.id, known);
    known.client = client;
    return known;
  }

  function settle(): Promise<void> {
    cancel?.();
    cancel = null;
    const taken = counted;
    counted = new Map();
    settling = settling.then(async () => {
      const day = localDay(clock.now());
      const rows: unknown[][] = [];
      for (const { client, lists, pages, finds, foundBytes } of taken.values()) {
        const listed = await bytesOf(pages.flat());
        const whole = lists === 0 ? 0 : (await bytesOf(parts.whole(client))) * lists;
        rows.push([client.id, day, lists, listed, whole, finds, foundBytes]);
      }
      db.transaction(() => {
        for (const row of rows) add.run(...row);
      })();
    });
    return settling;
  }

  return {
    listed(client, tools, isFirst) {
      const known = of(client);
      if (isFirst) known.lists += 1;
      known.pages = [...known.pages, tools];
      if (known.pages.length >= MOST_PAGES) void settle();
    },
    found(client, bytes) {
      const known = of(client);
      known.finds += 1;
      known.foundBytes += bytes;
    },
    async figures(from, to) {
      await settle();
      return select.all({ from, to }).map((row) => ({
        clientId: row.client_id,
        day: row.day,
        ...exposureOf({
          lists: row.lists,
          listedBytes: row.listed_bytes,
          wholeBytes: row.whole_bytes,
          finds: row.finds,
          foundBytes: row.found_bytes,
        }),
      }));
    },
    close: settle,
  };
}

interface Row {
  readonly client_id: string;
  readonly day: string;
  readonly lists: number;
  readonly listed_bytes: number;
  readonly whole_bytes: number;
  readonly finds: number;
  readonly found_bytes: number;
}

/** Bytes of JSON that models take for about one token; schemas take rather fewer, so the estimate is on the low side. */
const BYTES_A_TOKEN = 4;

type Measured = Omit<ExposureFigures, 'savedBytes' | 'savedTokensAbout'>;

/** With what was saved: less than nothing where searching brought more than listing all would have. */
export function exposureOf({ lists, listedBytes, wholeBytes, finds, foundBytes }: Measured): ExposureFigures {
  const savedBytes = wholeBytes - listedBytes - foundBytes;
  const savedTokensAbout = Math.round(savedBytes / BYTES_A_TOKEN);
  return { lists, listedBytes, wholeBytes, finds, foundBytes, savedBytes, savedTokensAbout };
}

/** The sum of what was measured. */
export function exposureSum(rows: readonly ExposureFigures[]): ExposureFigures {
  const total = (name: keyof Measured) => rows.reduce((all, row) => all + row[name], 0);
  return exposureOf({
    lists: total('lists'),
    listedBytes: total('listedBytes'),
    wholeBytes: total('wholeBytes'),
    finds: total('finds'),
    foundBytes: total('foundBytes'),
  });
}

/** Bytes of the definitions as JSON, measured in pieces so that nothing waits for thousands of them. */
async function bytesOf(tools: readonly object[]): Promise<number> {
  let bytes = 0;
  for (const [n, tool] of tools.entries()) {
    if (n > 0 && n % PIECE === 0) await turn();
    bytes += Buffer.byteLength(JSON.stringify(tool)) + 1;
  }
  return bytes;
}
