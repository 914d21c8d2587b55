import type { Redaction, RuleModifiers } from '../../../shared/model.ts';
import { keepsSecret, REDACTED } from '../audit/redact.ts';
import { parsePointer } from './conditions.ts';
import { type Named, redactText } from './redact-text.ts';
import { type Finder, KNOWN, patternFinder, type SearchTime } from './search.ts';

/** What a rule took out of one call, for its record. */
export interface RedactionMade {
  readonly rule: string;
  /** `field /a/b`, `pattern \d+` or the name of a known pattern. */
  readonly what: string;
  /** How many values or stretches of text. */
  readonly count: number;
  /** How many texts were taken out whole, because they could not be searched in their time. */
  readonly unsearched: number;
}

/** All redactions of a call in one, ready to run over its text. What they take out is counted in it, so it serves once. */
export interface Redactor {
  readonly fields: readonly FieldRedaction[];
  readonly finders: readonly Named<Finder | null>[];
  /** Values under names of secrets go as well, whatever they look like. */
  readonly bySecretName: ((times: number) => void) | null;
  readonly time: SearchTime;
  /** Whatever is taken out is marked as such: for a record, where no type has to fit. */
  readonly marks: boolean;
  made(): readonly RedactionMade[];
}

export interface FieldRedaction {
  /** Steps of the pointer; `*` is every member and item. */
  readonly steps: readonly string[];
  found(times: number): void;
}

/** Null when none of the rules has such redactions. */
export function createRedactor(
  modifiers: readonly RuleModifiers[],
  which: 'redactArgs' | 'redactResult',
  time: SearchTime,
): Redactor | null {
  const made: { rule: string; what: string; count: number; unsearched: number }[] = [];
  const fields: FieldRedaction[] = [];
  const finders: Named<Finder | null>[] = [];
  let bySecretName: Redactor['bySecretName'] = null;
  for (const { rule, ...own } of modifiers) {
    for (const redaction of own[which] ?? []) {
      const tally = { rule, what: whatOf(redaction), count: 0, unsearched: 0 };
      const gaveUp = () => {
        tally.unsearched += 1;
      };
      const found = (times: number) => {
        tally.count += times;
      };
      made.push(tally);
      if ('field' in redaction) fields.push({ steps: parsePointer(redaction.field) ?? [], found });
      else finders.push({ finder: finderOf(redaction), found, gaveUp });
      if ('name' in redaction && redaction.name === 'secrets') bySecretName = found;
    }
  }
  if (made.length === 0) return null;
  return {
    fields,
    finders,
    bySecretName,
    time,
    marks: false,
    made: () => made.filter(({ count, unsearched }) => count + unsearched > 0).map((tally) => ({ ...tally })),
  };
}

function whatOf(redaction: Redaction): string {
  if ('field' in redaction) return `field ${redaction.field}`;
  return 'name' in redaction ? redaction.name : `pattern ${redaction.pattern}`;
}

/** Only a cache, as that of compiled policies: a redaction is a value that nobody changes. */
const finders = new WeakMap<Redaction, Finder | null>();

export function finderOf(redaction: Exclude<Redaction, { readonly field: string }>): Finder | null {
  if ('name' in redaction) return KNOWN[redaction.name];
  const known = finders.get(redaction);
  if (known !== undefined) return known;
  const fresh = patternFinder(redaction.pattern);
  finders.set(redaction, fresh);
  return fresh;
}

/** Where a value stands, and what is to be done with it besides. */
export interface Shape {
  /** Steps before those of every field redaction: the fields are members of what stands there. */
  readonly root: readonly string[];
  /** Whether the text of a string at this path is searched, its member names are, or it is left as it is. */
  treat(path: readonly string[]): 'text' | 'data' | 'blob' | 'leave';
  /** Whether member names of the object at this path are the author's and not those of a protocol. */
  ownsNames(path: readonly string[]): boolean;
}

/** Arguments, and JSON inside a text: fields from the top, everything is searched. */
export const PLAIN: Shape = { root: [], treat: () => 'data', ownsNames: () => true };

/**
 * The JSON text without what the redactor takes out, its types kept: a string becomes `"[redacted]"`, a number 0, a
 * boolean false, an object `{}`, an array `[]`, and null stays. Everything else stays byte for byte as it was written.
 * Names of members are searched as well; a string that is itself JSON is treated as such, then as text.
 *
 * @param text valid JSON.
 */
export function redactJson(text: string, redactor: Redactor, shape: Shape = PLAIN, nesting = 0): string {
  const pieces: string[] = [];
  let copied = 0;
  const replace = (start: number, end: number, by: string) => {
    pieces.push(text.slice(copied, start), by);
    copied = end;
  };
  const stack: Level[] = [];
  const path: string[] = [];
  const atRoot = redactor.fields.map((field) => ({ field, steps: [...shape.root, ...field.steps] }));
  let at = skipSpace(text, 0);

  /** One value; a container is entered, and its end is met later. */
  const value = () => {
    const level = stack.at(-1);
    const wanted =
      level === undefined ? atRoot : level.wanted.filter(({ steps }) => meets(steps[path.length - 1], path.at(-1)));
    const whole = wanted.filter(({ steps }) => steps.length === path.length);
    const start = at;
    const first = text[at];
    const isSecret =
      redactor.bySecretName !== null &&
      level?.isObject === true &&
      level.ownsNames &&
      keepsSecret(path.at(-1) ?? '', text.slice(at, at + 32));
    if (whole.length > 0 || isSecret) {
      at = endOfValue(text, at);
      const by = emptied(first, redactor.marks);
      if (by === null || by === text.slice(start, at)) return;
      for (const { field } of whole) field.found(1);
      if (isSecret) redactor.bySecretName?.(1);
      replace(start, at, by);
      return;
    }
    if (first === '{' || first === '[') {
      stack.push({ isObject: first === '{', ownsNames: shape.ownsNames(path), index: 0, wanted, names: createNames() });
      path.push('');
      at = skipSpace(text, at + 1);
      return;
    }
    at = endOfValue(text, at);
    const raw = text.slice(start, at);
    if (first === '"') {
      const next = redactString(stringOf(raw), redactor, shape.treat(path), nesting);
      if (next !== null) replace(start, at, JSON.stringify(next));
    } else if (first !== 't' && first !== 'f' && first !== 'n' && raw !== '0' && shape.treat(path) !== 'leave') {
      if (redactText(raw, redactor.finders, redactor.time) !== raw)
        replace(start, at, emptied(first, redactor.marks) ?? raw);
    }
  };

  value();
  while (stack.length > 0) {
    const level = stack.at(-1)!;
    at = skipSpace(text, at);
    const char = text[at];
    if (char === '}' || char === ']' || char === undefined) {
      stack.pop();
      path.pop();
      at += 1;
      continue;
    }
    if (char === ',') {
      at += 1;
      continue;
    }
    if (level.isObject) {
      const start = at;
      at = endOfString(text, at);
      const name = stringOf(text.slice(start, at));
      path[path.length - 1] = name;
      if (level.ownsNames && redactor.finders.length > 0) {
        const given = level.names.give(name, redactName(name, redactor));
        if (given !== name) replace(start, at, JSON.stringify(given));
      }
      at = skipSpace(text, skipSpace(text, at) + 1);
    } else {
      path[path.length - 1] = String(level.index);
      level.index += 1;
    }
    value();
  }
  return copied === 0 ? text : pieces.join('') + text.slice(copied);
}

interface Level {
  readonly isObject: boolean;
  readonly ownsNames: boolean;
  index: number;
  /** Fields whose steps so far are those of the path. */
  readonly wanted: readonly { readonly field: FieldRedaction; readonly steps: readonly string[] }[];
  readonly names: Names;
}

function meets(step: string | undefined, key: string | undefined): boolean {
  return step !== undefined && (step === '*' || step === key);
}

function emptied(first: string | undefined, marks: boolean): string | null {
  if (first === 'n') return null;
  if (first === '"' || marks) return `"${REDACTED}"`;
  switch (first) {
    case '{':
      return '{}';
    case '[':
      return '[]';
    case 't':
    case 'f':
      return 'false';
    default:
      return '0';
  }
}

/** Null: it stays as it is. */
function redactString(
  value: string,
  redactor: Redactor,
  treat: ReturnType<Shape['treat']>,
  nesting: number,
): string | null {
  if (treat === 'leave' || value === '' || value === REDACTED) return null;
  if (treat === 'blob') return redactBlob(value, redactor);
  // Text within text: what is hidden behind its escapes is seen, and it stays JSON where it can.
  const inner =
    nesting < MOST_NESTED && isJson(value) ? redactJson(value, insideOf(redactor, treat), PLAIN, nesting + 1) : value;
  const next = redactText(inner, redactor.finders, redactor.time);
  return next === value ? null : next;
}

/** Fields are those of a result's text, not of every string that happens to be JSON. */
function insideOf(redactor: Redactor, treat: 'text' | 'data'): Redactor {
  return treat === 'text' ? redactor : { ...redactor, fields: [] };
}

const MOST_NESTED = 3;

/** Base64 of a text that is searched like one; of anything else it stays. */
function redactBlob(value: string, redactor: Redactor): string | null {
  const text = textOfBase64(value);
  if (text === null) return null;
  const next = redactString(text, redactor, 'text', 0);
  return next === null ? null : Buffer.from(next, 'utf8').toString('base64');
}

function textOfBase64(value: string): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(value, 'base64'));
  } catch {
    return null;
  }
}

function isJson(text: string): boolean {
  if (!/^\s*[[{]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** A name as it is left: one that was redacted before is not searched for the number it was told apart by. */
function redactName(name: string, { finders: all, time }: Redactor): string {
  return /^\[redacted(?: \d{1,6})?\]$/.test(name) ? name : redactText(name, all, time);
}

/** The names in one object, so that a redacted one is none that stands there already. */
interface Names {
  give(name: string, redacted: string): string;
}

function createNames(): Names {
  const written = new Set<string>();
  const made = new Set<string>();
  return {
    give(name, redacted) {
      if (name === redacted && !made.has(name)) {
        written.add(name);
        return name;
      }
      let given = redacted;
      for (let count = made.size + 1; written.has(given) || made.has(given); count += 1) given = `[redacted ${count}]`;
      made.add(given);
      return given;
    },
  };
}

function stringOf(raw: string): string {
  if (!raw.includes('\\')) return raw.slice(1, -1);
  const value: unknown = JSON.parse(raw);
  return typeof value === 'string' ? value : raw;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  for (; ; at += 1) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
  }
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; ) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return text.length;
    let backslashes = 0;
    while (text[quote - 1 - backslashes] === '\\') backslashes += 1;
    if (backslashes % 2 === 0) return quote + 1;
    at = quote + 1;
  }
}

function endOfValue(text: string, start: number): number {
  const first = text[start];
  if (first === '"') return endOfString(text, start);
  if (first !== '{' && first !== '[') {
    let at = start;
    while (at < text.length && !ENDS.has(text[at]!)) at += 1;
    return at;
  }
  let depth = 0;
  for (let at = start; at < text.length; ) {
    const char = text[at];
    if (char === '"') {
      at = endOfString(text, at);
      continue;
    }
    if (char === '{' || char === '[') depth += 1;
    else if (char === '}' || char === ']') depth -= 1;
    at += 1;
    if (depth === 0) return at;
  }
  return text.length;
}

const ENDS: ReadonlySet<string> = new Set([',', '}', ']', ' ', '\n', '\r', '\t']);
