import type { AuditEntryView, AuditRecordView } from '../../../shared/model.ts';

/**
 * Full text of records. SQLite's tokeniser `unicode61` takes letters and digits as words and everything else as what
 * parts them, so `/home/ann/list_issues.ts` is home, ann, list, issues, ts; here `listIssues` is parted as well. A piece
 * of a path or of a name is then a row of words, the last of them perhaps unfinished.
 */
export const TOKENIZER = "tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'";

/** Most characters of one record that are searchable: arguments are stored up to 64 KB. */
const MOST = 131_072;

/** What can be found of a record: who, what, which rule, how it ended, and everything its entries tell. */
export function searchText(record: AuditRecordView): string {
  const pieces: string[] = [record.requestId];
  for (const entry of record.entries) {
    for (const name of MEMBERS) if (entry[name] !== null) pieces.push(entry[name]);
    collect(entry.detail, pieces);
  }
  const text = [...new Set(pieces)].join('\n').slice(0, MOST);
  const humped = new Set(text.match(LETTERS)?.filter((word) => word.length <= LONGEST_NAME && HUMP.test(word)));
  const parted = [...humped].map((word) => word.replace(HUMPS, '$1 '));
  return parted.length === 0 ? text : `${text}\n${parted.join(' ')}`;
}

const MEMBERS = [
  'kind',
  'workspace',
  'client',
  'upstream',
  'tool',
  'rule',
  'outcome',
  'errorClass',
] as const satisfies readonly (keyof AuditEntryView)[];

// Each linear in the text, which anybody may have chosen: no repetition meets another.
const LETTERS = /[A-Za-z]+/g;
const HUMP = /[a-z][A-Z]/;
const HUMPS = /([a-z])(?=[A-Z])/g;
/** Longer is no name but base64 or noise. */
const LONGEST_NAME = 80;

/** Digests are found by nobody, and are half of what there would be. */
const NOT_SEARCHED = /sha256|^hash$|^keyId$|^publicKey$|^fingerprint$/i;

function collect(value: unknown, pieces: string[]): void {
  if (typeof value === 'string') pieces.push(value);
  else if (typeof value === 'number') pieces.push(String(value));
  else if (Array.isArray(value)) for (const one of value) collect(one, pieces);
  else if (typeof value === 'object' && value !== null)
    for (const [name, one] of Object.entries(value)) if (!NOT_SEARCHED.test(name)) collect(one, pieces);
}

/**
 * The FTS5 query for what a person typed: every word must occur, the parts of one word in a row; the last word may be
 * the beginning of a longer one, from two letters on. Null when there is nothing to look for. Nothing typed is an
 * operator.
 */
export function matchOf(typed: string): string | null {
  const words = typed
    .split(/\s+/u)
    .map((word) => word.replace(/[^\p{L}\p{N}\p{M}\p{Co}]+/gu, ' ').trim())
    .filter((word) => word !== '');
  const last = words.at(-1);
  if (last === undefined) return null;
  const isOpen = (last.split(' ').at(-1) ?? '').length > 1 && !/\s$/u.test(typed);
  return words.map((word) => `"${word}"`).join(' AND ') + (isOpen ? '*' : '');
}
