import type { Definition } from '../../../shared/model.ts';

/**
 * Precise warnings for the person's review, one sentence each, about any text of a definition at any depth: characters
 * that cannot be seen or that re-order text, text that gives orders to a model, names made to look like others
 * (security rows G6, F3, F5). Quoted parts are the server's text with everything unprintable escaped. Few on purpose:
 * an empty list says nothing about safety.
 */
export function flagsOf(definition: Definition): string[] {
  const flags = new Set<string>();
  for (const [member, value] of Object.entries(definition)) {
    const place = PLACES.get(member) ?? `member ${quoted(member)}`;
    for (const text of textsIn(value, [])) {
      for (const flag of flagsOfText(text)) flags.add(`The ${place} ${flag}`);
    }
    for (const flag of flagsOfText(member)) flags.add(`A member's name ${flag}`);
  }
  for (const name of [definition.name, definition.title, definition.uriTemplate]) {
    if (typeof name === 'string' && looksLikeAnother(name)) {
      flags.add(`The name ${quoted(name)} mixes look-alike characters of different scripts.`);
    }
  }
  return [...flags];
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

/** Every string in a value, keys included. The inventory has bounded the depth before. */
function textsIn(value: unknown, texts: string[]): readonly string[] {
  if (typeof value === 'string') texts.push(value);
  if (typeof value !== 'object' || value === null) return texts;
  for (const [key, member] of Object.entries(value)) {
    if (!Array.isArray(value)) texts.push(key);
    textsIn(member, texts);
  }
  return texts;
}

function* flagsOfText(text: string): Generator<string> {
  if (UNPRINTABLE.test(text)) yield* flagsOfCharacters(text);
  for (const { pattern, says } of ORDERS) {
    const found = pattern.exec(text);
    if (found) yield `${says}: ${quoted(found[0])}.`;
  }
}

/** A cheap look before the exact ones: most text is printable ASCII. */
const UNPRINTABLE = /[^\t\n\x20-\x7e]/;

function* flagsOfCharacters(text: string): Generator<string> {
  const bidi = namesOf(text, BIDI);
  if (bidi) yield `contains characters that re-order text: ${bidi}.`;
  const control = namesOf(text, CONTROL);
  if (control) yield `contains control characters: ${control}.`;
  const hidden = namesOf(text.replace(HONEST_JOINERS, ''), HIDDEN);
  if (hidden) yield `contains invisible characters: ${hidden}.`;
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

function namesOf(text: string, characters: RegExp): string | null {
  const found = new Set<string>();
  for (const [run] of text.matchAll(characters)) {
    for (const character of run) found.add(codeOf(character));
  }
  if (found.size === 0) return null;
  const names = [...found];
  return names.length > 5 ? `${names.slice(0, 5).join(', ')} and ${names.length - 5} more` : names.join(', ');
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

/** A name with letters of two scripts that look alike, or with compatibility forms such as full-width letters. */
function looksLikeAnother(name: string): boolean {
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
function quoted(text: string): string {
  const shown = [...text.slice(0, 240)].slice(0, 120).join('');
  const escaped = shown.replace(
    /[^\x20-\x7e\xa1-\xac\xae-\u024f]/gu,
    (character) => `\\u{${codeOf(character).slice(2)}}`,
  );
  return `"${escaped}${shown.length < text.length ? '…' : ''}"`;
}
