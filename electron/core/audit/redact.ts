import { hash as digest } from 'node:crypto';

/** The arguments as the audit keeps them. */
export interface Redacted {
  /**
   * The text of the arguments with every secret replaced, cut at `MAX_STORED` bytes. Text, not a value: all that is not
   * replaced stands there as it was written, so that 9007199254740993 is not stored as …992.
   */
  readonly redacted: string;
  /** Of the exact text as UTF-8, in hex. */
  readonly sha256: string;
  /** Length of the exact text as UTF-8. */
  readonly bytes: number;
  /** True when `redacted` was cut. */
  readonly truncated: boolean;
  /** How many values were replaced, or replaced in part, in what is stored. */
  readonly replaced: number;
}

/** Longest text of arguments that is stored. Bytes. */
export const MAX_STORED = 65_536;
export const REDACTED = '[redacted]';

/**
 * Replaces what must not stand in the audit (security.md N5): values under keys that name a secret, and text that has the
 * form of one. It rather takes too much than too little; the digest still proves what was sent.
 *
 * @param text the exact JSON text of the arguments; anything else is treated as one string.
 */
export function redactArguments(text: string): Redacted {
  const bytes = Buffer.byteLength(text);
  const { out, cut } = /^\s*["{[]/.test(text) ? redactJson(text) : redactPlain(text);
  const replaced = out.split(REDACTED).length - 1;
  return { redacted: out, sha256: digest('sha256', text, 'hex'), bytes, truncated: cut, replaced };
}

function redactPlain(text: string): { readonly out: string; readonly cut: boolean } {
  const out = cutAt(withoutForms(text.slice(0, SEARCHED)), MAX_STORED);
  return { out, cut: text.length > SEARCHED || Buffer.byteLength(out) >= MAX_STORED };
}

/** How much of one string is searched: what is cut off later is never stored. */
const SEARCHED = MAX_STORED + 16_384;

function redactJson(text: string): { readonly out: string; readonly cut: boolean } {
  const out: string[] = [];
  let size = 0;
  /** For every open bracket: whether it is an object. */
  const stack: boolean[] = [];
  let expectKey = false;
  let at = 0;
  const put = (piece: string) => {
    out.push(piece);
    size += piece.length;
  };

  // What lies behind the limit is not stored, so it need not be read.
  while (at < text.length && size <= MAX_STORED) {
    const char = text[at];
    if (char !== '"') {
      if (char === '{' || char === '[') {
        stack.push(char === '{');
        expectKey = char === '{';
      } else if (char === '}' || char === ']') {
        stack.pop();
        expectKey = false;
      } else if (char === ',') expectKey = stack.at(-1) === true;
      put(char ?? '');
      at += 1;
      continue;
    }
    const end = endOfString(text, at);
    const raw = text.slice(at, end);
    at = end;
    put(redactString(raw));
    if (!expectKey) continue;
    expectKey = false;
    const value = startOfValue(text, at);
    put(text.slice(at, value));
    at = value;
    const valueEnd = endOfValue(text, at);
    if (!keepsSecret(parsed(raw), text.slice(at, Math.min(valueEnd, at + 32)))) continue;
    put(`"${REDACTED}"`);
    at = valueEnd;
  }
  const whole = out.join('');
  const cut = cutAt(whole, MAX_STORED);
  return { out: cut, cut: at < text.length || cut.length < whole.length };
}

/** Names of secrets, without case, `_`, `-`, `.` and spaces. Part of a longer name is enough. */
const SECRET_NAMES = [
  'password',
  'passwd',
  'passphrase',
  'passcode',
  'pwd',
  'secret',
  'token',
  'apikey',
  'accesskey',
  'authkey',
  'encryptionkey',
  'signingkey',
  'sshkey',
  'privatekey',
  'authorization',
  'bearer',
  'cookie',
  'credential',
  'sessionid',
  'connectionstring',
];
/** Whole names only, because they are parts of harmless ones. */
const SHORT_SECRET_NAMES: ReadonlySet<string> = new Set(['auth', 'pin', 'otp', 'jwt', 'pass', 'dsn', 'sas']);
/** Numbers under these count or limit tokens of language models. */
const TOKEN_COUNT = /tokens$|tokens?(count|limit|budget|size)$|^(max|min|num|total|input|output)token/;

/** Whether the value of a member of that name is a secret. `value`: at least the beginning of its JSON text. */
export function keepsSecret(key: string, value: string): boolean {
  if (/^(null|true|false)\b/.test(value)) return false;
  const name = key.toLowerCase().replace(/[\s_.-]/g, '');
  if (/^-?\d/.test(value) && TOKEN_COUNT.test(name)) return false;
  return SHORT_SECRET_NAMES.has(name) || SECRET_NAMES.some((secret) => name.includes(secret));
}

const NAME_IN_TEXT =
  '(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|authorization|cookie|credential)[\\w.-]{0,40}';

/**
 * Forms that secrets have wherever they stand, and what takes the place of a match. Each is linear: no repetition inside
 * a repetition.
 */
export const FORMS: readonly (readonly [RegExp, string])[] = [
  [
    /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY( BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY( BLOCK)?-----|$)/g,
    REDACTED,
  ],
  [/\b(Bearer\s+)[A-Za-z0-9\-._~+/]{6,}=*/gi, `$1${REDACTED}`],
  // These words also begin sentences; a credential is long or not made of letters alone.
  [/\b((?:Basic|Digest|Token)\s+)(?=[A-Za-z]*[0-9+/=_~]|[A-Za-z]{16})[A-Za-z0-9\-._~+/]{8,}=*/gi, `$1${REDACTED}`],
  [/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)*/g, REDACTED],
  [/\b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{16,}/g, REDACTED],
  [/\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,})/g, REDACTED],
  [/\bxox[a-z]-[A-Za-z0-9-]{10,}/g, REDACTED],
  [/\b(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA)[A-Z0-9]{16}\b/g, REDACTED],
  [/\bAIza[A-Za-z0-9_-]{30,}/g, REDACTED],
  [/\b(?:ntn_|secret_|npm_|hf_|dop_v1_|sntrys_|lin_api_|figd_)[A-Za-z0-9_-]{16,}/g, REDACTED],
  // https://user:password@host
  [/(:\/\/[^\s/:@"']{0,200}:)[^\s/@"']{1,200}@/g, `$1${REDACTED}@`],
  // password=…, "token": "…", Cookie: …, --api-key …
  [new RegExp(`(${NAME_IN_TEXT}["']?\\s{0,3}[:=]\\s{0,3}["']?)(?!\\s)[^\\s"'&,;}]{3,}`, 'gi'), `$1${REDACTED}`],
  [new RegExp(`(--${NAME_IN_TEXT}\\s+["']?)[^\\s"'-][^\\s"']*`, 'gi'), `$1${REDACTED}`],
];

const SHORTEST = 8;

function redactString(raw: string): string {
  // Nothing shorter is a secret by its form, and arguments may hold a hundred thousand such strings.
  if (raw.length < SHORTEST + 2) return raw;
  const value = parsed(raw).slice(0, SEARCHED);
  const redacted = withoutForms(value);
  // As it was written, unless something had to go.
  return redacted === value ? raw : JSON.stringify(redacted);
}

function withoutForms(text: string): string {
  return FORMS.reduce((left, [form, by]) => left.replace(form, by), text);
}

/** The string behind a JSON string's text; the text itself when it is not one. */
function parsed(raw: string): string {
  if (!raw.includes('\\')) return raw.endsWith('"') && raw.length > 1 ? raw.slice(1, -1) : raw.slice(1);
  try {
    const value: unknown = JSON.parse(raw);
    return typeof value === 'string' ? value : raw;
  } catch {
    return raw;
  }
}

/** Index behind the closing quote; the end of the text when there is none. */
function endOfString(text: string, start: number): number {
  for (let from = start + 1; ; ) {
    const quote = text.indexOf('"', from);
    if (quote < 0) return text.length;
    let backslashes = 0;
    while (text[quote - 1 - backslashes] === '\\') backslashes += 1;
    if (backslashes % 2 === 0) return quote + 1;
    from = quote + 1;
  }
}

function startOfValue(text: string, from: number): number {
  let at = from;
  while (at < text.length && /[\s:]/.test(text[at] ?? '')) at += 1;
  return at;
}

/** Index behind the value that starts here, whatever it holds. */
function endOfValue(text: string, start: number): number {
  const first = text[start];
  if (first === '"') return endOfString(text, start);
  if (first !== '{' && first !== '[') {
    let at = start;
    while (at < text.length && !/[\s,}\]]/.test(text[at] ?? '')) at += 1;
    return at;
  }
  let depth = 0;
  let at = start;
  while (at < text.length) {
    const char = text[at];
    if (char === '"') {
      at = endOfString(text, at);
      continue;
    }
    if (char === '{' || char === '[') depth += 1;
    if (char === '}' || char === ']') depth -= 1;
    at += 1;
    if (depth === 0) return at;
  }
  return at;
}

/** Cuts to at most so many bytes of UTF-8, never within a character. */
function cutAt(text: string, bytes: number): string {
  if (text.length * 3 <= bytes) return text;
  const encoded = Buffer.from(text);
  if (encoded.length <= bytes) return text;
  let end = bytes;
  while (end > 0 && ((encoded[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return encoded.toString('utf8', 0, end);
}
