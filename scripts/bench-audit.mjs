import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { underNode24 } from './node24.mjs';
import { say } from './progress.mjs';
import { setUp } from './setup.mjs';

/*
 * `npm run bench:audit`: fills an audit log with a million records and measures how long the list of the Audit screen
 * takes. The last line is `pass` or `fail`, and so is the exit code. docs/bench.md says how to read it.
 */
await underNode24();

const { values: options } = parseArgs({
  options: {
    records: { type: 'string', default: '1000000' },
    /** How often each query is asked, with other values each time where there are others. */
    times: { type: 'string', default: '40' },
    /** Keeps and uses the log in this folder, so that a second run need not fill one. */
    folder: { type: 'string' },
    /** What p95 must be under, milliseconds. */
    limit: { type: 'string', default: '50' },
  },
});
const records = Number(options.records);
const times = Number(options.times);
const limit = Number(options.limit);
/** Shown, and not among what must pass: docs/bench.md says why. */
const UNBOUND = 'a word + client (no bound)';
/** Records of a page, as on the screen. */
const PAGE = 50;
const FAR = 1_000;
const START = Date.UTC(2026, 0, 1);

await setUp();
const { default: Database } = await import('better-sqlite3');
const { createAppender } = await import('../electron/core/audit/appender.ts');
const { openAudit } = await import('../electron/core/audit/open.ts');
const { AUDIT_MIGRATIONS } = await import('../electron/core/audit/schema.ts');
const { openDatabase } = await import('../electron/core/store/database.ts');
const { findRecords } = await import('../electron/core/audit/queries.ts');
const { systemClock } = await import('../electron/core/platform.ts');
const { COMMON_WORD, createRecords, PATH, RARE_WORD } = await import('./bench/audit-records.mjs');
const { quantile } = await import('./bench/load.mjs');
const { number, table } = await import('./bench/table.mjs');

const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'gatehouse-bench-audit-'));
const print = (text) => process.stdout.write(`${text}\n`);
const keys = generateKeyPairSync('ed25519');
const keychain = memoryKeychain();
const known = createRecords(START);

try {
  process.exitCode = (await run()) ? 0 : 1;
} finally {
  if (options.folder === undefined) rmSync(folder, { recursive: true, force: true });
}

async function run() {
  mkdirSync(folder, { recursive: true });
  fill(join(folder, 'audit.db'));
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const opened = await openAudit({ folder, clock: systemClock, keychain, version: 'bench', log: silent });
  if (opened.kind !== 'opened') throw new Error(opened.message);
  const { audit } = opened;
  try {
    await indexAll(audit);
    say('Waiting for the start to have verified the whole log …');
    await opened.verified;
    const rows = [];
    for (const [name, queries] of Object.entries(asked())) rows.push(await measured(audit, name, queries));
    const farthest = `page ${FAR.toLocaleString('en')}`;
    const report = rows.map(({ name, found, first, later }) => [
      name,
      found,
      ...[first, later].flatMap((all) => [ms(at(all, 0.5)), ms(at(all, 0.95))]),
    ]);
    print(table(['ms', 'found', 'page 1, p50', 'p95', `${farthest}, p50`, 'p95'], report));
    const slow = rows.filter(
      ({ name, first, later }) => name !== UNBOUND && [first, later].some((all) => (at(all, 0.95) ?? 0) >= limit),
    );
    print(
      `\n${records.toLocaleString('en')} records, ${times} times each, pages of ${PAGE}; every p95 is to be under ${limit} ms.`,
    );
    if (slow.length > 0) print(`Not under it: ${slow.map(({ name }) => name).join(', ')}.`);
    print(slow.length === 0 ? 'pass' : 'fail');
    return slow.length === 0;
  } finally {
    await audit.close();
  }
}

function ms(value) {
  return value === null ? '' : number(value);
}

/** Writes them as Gatehouse does, chained and signed, in commits of two thousand entries. */
function fill(path) {
  const opened = openDatabase({ path, migrations: AUDIT_MIGRATIONS, synchronous: 'FULL', at: START });
  if (opened.kind !== 'open') throw new Error(opened.message);
  const { db } = opened;
  db.pragma('cache_size = -65536');
  const publicKey = keys.publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
  const have = db.prepare('SELECT count(*) FROM entries').pluck().get();
  if (have === 0) {
    const appender = createAppender(db, path, keys.privateKey, publicKey);
    const begin = { anchor: null, publicKey, keptIn: 'keychain', at: START, version: 'bench', setAside: null };
    appender.begin({ ...begin, recover: true });
    const began = performance.now();
    let told = began;
    let drafts = [];
    for (let one = 1; one <= records; one += 1) {
      drafts.push(...known.draftsOf(one));
      if (drafts.length < 2_000 && one < records) continue;
      appender.append(drafts);
      drafts = [];
      if (performance.now() - told < 5_000) continue;
      told = performance.now();
      say(`${one.toLocaleString('en')} of ${records.toLocaleString('en')} records written …`);
    }
    print(`Written in ${seconds(began)} s, every entry chained, every commit signed.`);
  }
  const entries = db.prepare('SELECT count(*) FROM entries').pluck().get();
  db.close();
  print(`audit.db: ${entries.toLocaleString('en')} entries, ${megabytes(path)} MB.`);
}

async function indexAll(audit) {
  const began = performance.now();
  for (let told = began; ; ) {
    const { behind } = await audit.list({ limit: 1 });
    if (behind === 0) break;
    if (performance.now() - told < 5_000) continue;
    told = performance.now();
    say(`${behind.toLocaleString('en')} entries to index …`);
  }
  print(`Indexed in ${seconds(began)} s; audit-index.db: ${megabytes(join(folder, 'audit-index.db'))} MB.\n`);
}

/** Each filter alone, the three together, and words. */
function asked() {
  const { CLIENTS, UPSTREAMS, RULES, CLASSES } = known;
  const end = START + records * 1_000_000;
  const some = (values, name) => values.map((value) => ({ [name]: value }));
  const spans = Array.from({ length: 20 }, (_, n) => {
    const from = START + Math.floor(((end - START) * n) / 25);
    return { from, to: from + Math.floor((end - START) / 5) };
  });
  return {
    'no filter': [{}],
    client: some(CLIENTS, 'client'),
    'client (id)': some(
      CLIENTS.map((name) => `id-of-${name}`),
      'client',
    ),
    upstream: some(UPSTREAMS, 'upstream'),
    tool: some(['list_issues', 'get_file', 'search_page', 'update_query', 'write_snapshot'], 'tool'),
    decision: some(['allow', 'deny', 'require_approval'], 'effect'),
    rule: some(RULES, 'rule'),
    class: some(CLASSES, 'errorClass'),
    outcome: some(['answered', 'refused', 'failed'], 'outcome'),
    kind: some(['tool_call', 'key_rotated', 'upstream_started'], 'kind'),
    time: spans,
    'client + decision + time': CLIENTS.flatMap((client) =>
      ['allow', 'deny'].flatMap((effect) =>
        spans.filter((_, n) => n % 5 === 0).map((span) => ({ client, effect, ...span })),
      ),
    ),
    'a rare word': [{ text: RARE_WORD }],
    'the beginning of a rare word': [{ text: RARE_WORD.slice(0, 5) }],
    'a common word': [{ text: COMMON_WORD }],
    'the beginning of a common word': [{ text: COMMON_WORD.slice(0, 5) }],
    'a piece of a path': [{ text: PATH }],
    'two words': [{ text: `${COMMON_WORD} gatehouse` }],
    [UNBOUND]: CLIENTS.slice(0, 4).map((client) => ({ text: COMMON_WORD, client })),
  };
}

/** p95 of page 1, and of page 1,000 where there are so many: its cursor is found by going there once. */
async function measured(audit, name, queries) {
  const first = [];
  for (let n = 0; n < times; n += 1) first.push(await timed(audit, { ...queries[n % queries.length], limit: PAGE }));
  const cursors = [];
  let found = 0;
  for (const query of queries.slice(0, 8)) {
    const far = cursorOf(query);
    found = Math.max(found, far.found);
    if (far.before !== null) cursors.push({ ...query, before: far.before });
  }
  const later = [];
  for (let n = 0; n < times && cursors.length > 0; n += 1)
    later.push(await timed(audit, { ...cursors[n % cursors.length], limit: PAGE }));
  const shown = found >= (FAR - 1) * PAGE ? `${found.toLocaleString('en')}+` : found.toLocaleString('en');
  return { name, found: shown, first, later };
}

async function timed(audit, filter) {
  const began = performance.now();
  await audit.list(filter);
  return performance.now() - began;
}

/** Where page 1,000 begins; null when there are fewer. Only the index is asked: nobody need see what is on the way. */
function cursorOf(query) {
  const index = new Database(join(folder, 'audit-index.db'), { readonly: true });
  const found = findRecords(index, query, null, (FAR - 1) * PAGE);
  index.close();
  return { before: found.length < (FAR - 1) * PAGE ? null : found.at(-1).first, found: found.length };
}

/** Null: there was nothing to measure. */
function at(all, part) {
  return all.length === 0 ? null : quantile(Float64Array.from(all).sort(), part);
}

function seconds(began) {
  return ((performance.now() - began) / 1000).toFixed(1);
}

function megabytes(path) {
  return Math.round(statSync(path).size / 1e6).toLocaleString('en');
}

function memoryKeychain() {
  const items = new Map([
    ['audit-signing-key', keys.privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64')],
  ]);
  return {
    read: async (item) => (items.has(item) ? { kind: 'found', value: items.get(item) } : { kind: 'missing' }),
    async write(item, value) {
      items.set(item, value);
      return { kind: 'written' };
    },
    async remove(item) {
      items.delete(item);
      return { kind: 'removed' };
    },
  };
}
