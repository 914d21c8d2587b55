/**
 * `sendEmail`, `send_email` and `HTTPSend` come apart; the rest is letters and digits in lower case. Scripts written
 * without spaces are met by pairs of characters.
 */
export function wordsOf(text: string): readonly string[] {
  const words =
    text
      .replace(/([\p{Ll}\d])(\p{Lu})/gu, '$1 $2')
      .replace(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1 $2')
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? [];
  return SPACELESS.test(text) ? words.flatMap(characterPairs) : words;
}

const SPACELESS = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u;

function characterPairs(word: string): readonly string[] {
  if (!SPACELESS.test(word)) return [word];
  const characters = [...word];
  return characters.length < 3 ? [word] : pairsOf(characters);
}

/** Neighbours written as one. */
export const pairsOf = (words: readonly string[]): readonly string[] =>
  words.slice(1).map((word, index) => words[index] + word);

/** The first sentence or line, and what comes after it. */
export function firstSentence(text: string): readonly [string, string] {
  const end = text.search(/[.!?](?=\s)|\n/);
  return end === -1 ? [text, ''] : [text.slice(0, end), text.slice(end)];
}

/** Names and texts of all parameters of a schema, whatever the schema is. */
export function parametersOf(schema: unknown): {
  readonly names: readonly string[];
  readonly texts: readonly string[];
} {
  const names: string[] = [];
  const texts: string[] = [];
  const visit = (value: unknown, left: number): void => {
    if (left === 0 || typeof value !== 'object' || value === null) return;
    const { properties, items, description, enum: values, anyOf, oneOf, allOf } = value as Record<string, unknown>;
    if (typeof description === 'string' && value !== schema) texts.push(description);
    if (Array.isArray(values)) texts.push(...values.slice(0, 50).filter((each) => typeof each === 'string'));
    if (typeof properties === 'object' && properties !== null) {
      for (const [name, property] of Object.entries(properties)) {
        names.push(name);
        visit(property, left - 1);
      }
    }
    visit(items, left - 1);
    for (const list of [anyOf, oneOf, allOf]) if (Array.isArray(list)) for (const each of list) visit(each, left - 1);
  };
  visit(schema, MAX_SCHEMA_DEPTH);
  return { names, texts };
}

/** Deeper parameters say little about what a tool is for. */
const MAX_SCHEMA_DEPTH = 4;
