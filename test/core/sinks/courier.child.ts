import { systemClock } from '../../../electron/core/platform.ts';
import { createCourier } from '../../../electron/core/sinks/courier.ts';
import { CURSOR_MIGRATIONS, createCursors } from '../../../electron/core/sinks/cursors.ts';
import { createJsonlDestination } from '../../../electron/core/sinks/jsonl.ts';
import { openDatabase } from '../../../electron/core/store/database.ts';
import { rowsOf, sourceOf } from './rows.ts';

/** Delivers five entries to a file with a real cursor; `before-cursor` stops dead where the cursor would be written. */
const [path = '', cursorPath = '', stopAt] = process.argv.slice(2);
const opened = openDatabase({ path: cursorPath, migrations: CURSOR_MIGRATIONS, synchronous: 'FULL', at: 0 });
if (opened.kind !== 'open') throw new Error(opened.message);
const cursors = createCursors(opened.db);
createCourier({
  clock: systemClock,
  random: () => 0,
  source: sourceOf(rowsOf(1, 5)),
  destination: createJsonlDestination(
    { kind: 'jsonl', path, maxBytes: 1_000_000, keep: 1 },
    { machine: 'box', version: '1' },
  ),
  startSeq: 0,
  cursor: {
    get: () => cursors.get('one'),
    set(cursor) {
      if (stopAt === 'before-cursor' && cursor.seq === 5) {
        // The test kills it here.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 30_000);
        process.exit(2);
      }
      cursors.set('one', cursor);
    },
  },
  tell({ state }) {
    if (state === 'up_to_date') process.exit(cursors.get('one')?.seq === 5 ? 0 : 1);
  },
  async gap() {},
}).wake();
setTimeout(() => process.exit(3), 30_000);
