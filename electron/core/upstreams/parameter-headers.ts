/**
 * `Mcp-Param-<name>` headers of one call: arguments that a tool's schema marks with `x-mcp-header` (MCP 2026-07-28,
 * Streamable HTTP). Servers refuse a call whose header is missing or does not agree with the body. Empty when the schema
 * marks nothing.
 */
export function parameterHeaders(inputSchema: unknown, argumentsText: string): Record<string, string> {
  const marked = mirrored(inputSchema, () => JSON.parse(argumentsText));
  return Object.fromEntries(marked.map(({ header, text }) => [header, encode(text)]));
}

/** One argument that must stand in a header as well. `text` is what the header says, before it is encoded. */
export interface Mirrored {
  readonly header: string;
  readonly text: string;
  readonly value: string | number | boolean;
}

/** `given` is asked for the arguments only when the schema marks something. */
export function mirrored(inputSchema: unknown, given: () => unknown): readonly Mirrored[] {
  const marked = markedProperties(inputSchema, []);
  if (marked.length === 0) return [];
  const all = given();
  return marked.flatMap(({ path, header }) => {
    const value = path.reduce<unknown>((found, key) => (isObject(found) ? found[key] : undefined), all);
    return hasOneSpelling(value) ? [{ header: `Mcp-Param-${header}`, text: String(value), value }] : [];
  });
}

/** What a header says, decoded; null when it claims to be base64 and is none, or no UTF-8. */
export function decode(header: string): string | null {
  const encoded = /^=\?base64\?(.*)\?=$/s.exec(header)?.[1];
  if (encoded === undefined) return header;
  const bytes = Buffer.from(encoded, 'base64');
  // Node skips what is no base64; what does not come back the same was not written as the specification says.
  if (bytes.toString('base64') !== encoded) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

function markedProperties(
  schema: unknown,
  path: readonly string[],
): readonly { readonly path: readonly string[]; readonly header: string }[] {
  if (!isObject(schema) || path.length > DEEPEST || !isObject(schema.properties)) return [];
  return Object.entries(schema.properties).flatMap(([key, property]) => {
    const here = [...path, key];
    const header = isObject(property) ? property['x-mcp-header'] : undefined;
    const own = typeof header === 'string' && TOKEN.test(header) ? [{ path: here, header }] : [];
    return [...own, ...markedProperties(property, here)];
  });
}

/** Text, booleans, and whole numbers that a double holds exactly. */
function hasOneSpelling(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'boolean' || Number.isSafeInteger(value);
}

/** Plain where a header can hold the text as it is, else base64 in the marks the specification gives. */
export function encode(text: string): string {
  const isPlain = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !text.startsWith('=?base64?');
  return isPlain ? text : `=?base64?${Buffer.from(text, 'utf8').toString('base64')}?=`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const DEEPEST = 16;
/** RFC 9110, 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
