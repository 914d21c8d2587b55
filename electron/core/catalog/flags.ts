import { extend } from '../../../shared/difference.ts';
import type { Definition } from '../../../shared/model.ts';

/**
 * Precise warnings for the person's review, one sentence each with the exact place, about any text of a definition at
 * any depth: characters that cannot be seen or that re-order text, text that gives orders to a model, a name in letters
 * of several scripts (security rows G6, F3, F5). Quoted parts are the server's text with everything unprintable escaped.
 * Few on purpose: an empty list says nothing about safety.
 */
export function flagsOf(definition: Definition): string[] {
  const found = new Map<string, Found>();
  for (const text of textsOf(definition)) {
    for (const { check, says } of flagsOfText(text.text)) {
      const key = `${check} ${text.isKey ? '' : text.member}`;
      const before = found.get(key);
      found.set(key, before ? { ...before, more: before.more + 1 } : { text, says, more: 0 });
    }
  }
  const flags = [...found.values()].map(sentenceOf);
  for (const name of new Set([definition.name, definition.title, definition.uriTemplate])) {
    if (typeof name === 'string' && mixesScripts(name)) {
      flags.unshift(`The name ${quoted(name)} mixes look-alike characters of different scripts.`);
    }
  }
  return flags.length > MOST_FLAGS
    ? [...flags.slice(0, MOST_FLAGS), `${flags.length - MOST_FLAGS} more warnings are about its other members.`]
    : flags;
}

/** More than a person reads one by one; whoever writes so many has given the answer. */
const MOST_FLAGS = 20;

/** One text of a definition: a string, or the name of a member. */
interface Text {
  readonly text: string;
  /** The member of the definition that it is, or is in. */
  readonly member: string;
  /** Where in that member; null: the member itself. */
  readonly place: Place | null;
  readonly isKey: boolean;
}

/** The way to a text from its end. Put into words only where something was found: most texts are honest. */
interface Place {
  readonly within: Place | null;
  readonly key: string | number;
}

/** `properties.path.enum[1]` */
const inWords = (place: Place | null): string => (place === null ? '' : extend(inWords(place.within), place.key));

interface Found {
  readonly text: Text;
  readonly says: string;
  /** How often the same check found something in the same member besides. */
  readonly more: number;
}

function sentenceOf({ text: { member, place, isKey }, says, more }: Found): string {
  const whole = PLACES.get(member) ?? `member ${quoted(member)}`;
  const at = place === null ? '' : `${isKey ? ', in the name of a member of it,' : ''} at ${shown(inWords(place))}`;
  const where = isKey && place === null ? "A member's name" : `The ${whole}${at}`;
  const also = more === 0 ? '' : ` The same goes for ${more} more ${more === 1 ? 'text' : 'texts'} of it.`;
  return `${where} ${says}.${also}`;
}

const PLACES: ReadonlyMap<string, string> = new Map([
  ['name', 'name'],
  ['title', 'title'],
  ['description', 'description'],
  ['inputSchema', 'input schema'],
  ['outputSchema', 'output schema'],
  ['annotations', 'annotations'],
  ['arguments', 'list of arguments'],
  ['uriTemplate', 'URI template'],
  ['mimeType', 'media type'],
  ['_meta', 'metadata'],
  ['icons', 'icons'],
]);

/** Every string of a definition, keys included. The inventory has bounded the depth before. */
function textsOf(definition: Definition): readonly Text[] {
  const texts: Text[] = [];
  const visit = (value: unknown, member: string, place: Place | null): void => {
    if (typeof value === 'string') texts.push({ text: value, member, place, isKey: false });
    if (typeof value !== 'object' || value === null) return;
    const isList = Array.isArray(value);
    for (const [key, item] of Object.entries(value)) {
      const below = { within: place, key: isList ? Number(key) : key };
      if (!isList) texts.push({ text: key, member, place: below, isKey: true });
      visit(item, member, below);
    }
  };
  for (const [member, value] of Object.entries(definition)) {
    visit(value, member, null);
    texts.push({ text: member, member, place: null, isKey: true });
  }
  return texts;
}

function* flagsOfText(text: string): Generator<{ readonly check: string; readonly says: string }> {
  if (UNPRINTABLE.test(text)) yield* flagsOfCharacters(text);
  if (!MAYBE_ORDERS.test(text)) return;
  for (const { pattern, says } of ORDERS) {
    const found = pattern.exec(text);
    if (found) yield { check: says, says: `${says}: ${quoted(found[0])}` };
  }
}

/** A cheap look before the exact ones: most text is printable ASCII. */
const UNPRINTABLE = /[^\t\n\x20-\x7e]/;

function* flagsOfCharacters(text: string): Generator<{ readonly check: string; readonly says: string }> {
  const honest = text.replace(HONEST_JOINERS, '');
  for (const { check, looked, characters } of [
    { check: 'contains characters that re-order text', looked: text, characters: BIDI },
    { check: 'contains control characters', looked: text, characters: CONTROL },
    { check: 'contains invisible characters', looked: honest, characters: HIDDEN },
  ]) {
    const names = namesOf(looked, characters);
    if (names !== null) yield { check, says: `${check}: ${names}` };
  }
}

/** U+202A–E, U+2066–9 (CVE-2021-42574), and the marks U+200E, U+200F, U+061C. */
const BIDI = /[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/gu;
/** C0 and C1 without tab and line feed; a carriage return only where no line feed follows. */
const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\r(?!\n)/gu;
/** Zero width, fillers, invisible operators and tags; variation selectors only in runs, where they carry hidden text. */
const HIDDEN =
  /[\p{Default_Ignorable_Code_Point}--[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]--\p{Variation_Selector}]|\p{Variation_Selector}{2,}/gv;
/** Joiners within an emoji or within a word of a script that is written with them, and the tags of a regional flag. */
const HONEST_JOINERS = new RegExp(
  [
    String.raw`(?<=\p{Extended_Pictographic}|\p{Emoji_Modifier}|\p{Variation_Selector})\u200d(?=\p{Extended_Pictographic})`,
    String.raw`(?<=\p{M}|\p{Script=Arabic}|\p{Script=Devanagari}|\p{Script=Bengali}|\p{Script=Malayalam}|\p{Script=Sinhala})[\u200c\u200d]`,
    String.raw`(?<=\u{1f3f4})[\u{e0061}-\u{e007a}]{2,6}\u{e007f}`,
  ].join('|'),
  'gu',
);

/** The characters that were found, each once, and what stands before the first: where nothing can be seen, that is the place. */
function namesOf(text: string, characters: RegExp): string | null {
  const found = new Set<string>();
  let before: string | null = null;
  for (const { 0: run, index } of text.matchAll(characters)) {
    before ??= text.slice(Math.max(0, index - 24), index);
    for (const character of run) found.add(codeOf(character));
  }
  if (before === null) return null;
  const names = [...found];
  const all = names.length > 5 ? `${names.slice(0, 5).join(', ')} and ${names.length - 5} more` : names.join(', ');
  return `${all}, ${names.length > 1 ? 'the first ' : ''}${before === '' ? 'at its start' : `after ${quoted(before)}`}`;
}

/** Text that speaks to the model instead of saying what the tool does. Every repetition is bounded: linear in the text. */
const ORDERS: readonly { readonly pattern: RegExp; readonly says: string }[] = [
  {
    says: 'marks text as an order to the model',
    pattern:
      /<\s{0,3}\/?\s{0,3}(?:important|system|system[-_ ]?prompt|instructions?|critical|assistant)\b[^<>]{0,40}>|<\|[a-z_]{2,20}\|>|\[\/?INST\]/i,
  },
  {
    says: 'tells the model to drop its instructions',
    pattern:
      /\b(?:ignore|disregard|forget|override|bypass)\s{1,3}(?:(?:all|any|every|the|your|my|of)\s{1,3}){0,3}(?:previous|prior|above|earlier|preceding|existing|original|other|system|safety)\s{1,3}(?:(?:system|safety)\s{1,3})?(?:instructions?|prompts?|rules|guidelines|messages|directions)\b/i,
  },
  {
    says: 'asks the model to keep something from the user',
    pattern:
      /\b(?:(?:do\s{1,3}not|don['’]?t|never|must\s{1,3}not|should\s{1,3}not|avoid)\s{1,3}(?:tell|telling|inform|informing|mention|mentioning|reveal|revealing|disclose|disclosing|notify|notifying|alert|alerting|let)\s{1,3}(?:[\w'’]{1,20}\s{1,3}){0,4}(?:the\s{1,3})?(?:user|human|person)|without\s{1,3}(?:telling|informing|notifying|alerting)\s{1,3}(?:the\s{1,3})?(?:user|human|person))\b/i,
  },
  {
    says: 'gives orders about other tools',
    pattern:
      /\b(?:before|instead\s{1,3}of|whenever|every\s{1,3}time|each\s{1,3}time)\s{1,3}(?:(?:you|use|uses|using|call|calls|calling|run|running|invoke|invoking|execute|executing)\s{1,3}){0,3}(?:any|all|every|each)\s{1,3}(?:of\s{1,3}the\s{1,3})?(?:other\s{1,3})?tools?\b/i,
  },
  {
    says: 'names a place where secrets are kept',
    pattern:
      /(?:~|\$HOME|%USERPROFILE%|\/home\/[\w.-]{1,40}|\/Users\/[\w.-]{1,40}|\/root)[\\/]\.(?:ssh|aws|gnupg|kube|netrc|npmrc|docker|git-credentials|config[\\/]gcloud)|\bid_(?:rsa|ed25519|ecdsa)\b|\/etc\/(?:shadow|passwd)\b|\.(?:aws[\\/]credentials|git-credentials|cursor[\\/]mcp\.json)\b/i,
  },
];

/** Something of this stands in whatever one of them matches; in most texts nothing does. */
const MAYBE_ORDERS =
  /[<[~$%]|\/(?:home|users|root|etc)|id_|\.(?:aws|git|cursor)|ignore|disregard|forget|override|bypass|user|human|person|tool/i;

/** A name with letters of two scripts that look alike, or with compatibility forms such as full-width letters. */
function mixesScripts(name: string): boolean {
  if (/^[\x20-\x7e]*$/.test(name)) return false;
  if (/[\uff01-\uff5e\u2024\u2010-\u2012\u{1d400}-\u{1d7ff}]/u.test(name)) return true;
  return name.split(/[^\p{L}\p{M}]+/u).some((word) => SCRIPTS.filter((script) => script.test(word)).length > 1);
}

const SCRIPTS = [
  /\p{Script=Latin}/u,
  /\p{Script=Greek}/u,
  /\p{Script=Cyrillic}/u,
  /\p{Script=Armenian}/u,
  /\p{Script=Cherokee}/u,
];

const codeOf = (character: string): string =>
  `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;

/** The server's words as text that can neither hide nor re-order anything: at most 120 characters. */
const quoted = (text: string): string => `"${shown(text)}"`;

function shown(text: string): string {
  const start = [...text.slice(0, 240)].slice(0, 120).join('');
  const escaped = start.replace(
    /[^\x20-\x7e\xa1-\xac\xae-\u024f]/gu,
    (character) => `\\u{${codeOf(character).slice(2)}}`,
  );
  return `${escaped}${start.length < text.length ? '…' : ''}`;
}
