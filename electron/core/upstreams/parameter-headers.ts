/**
 * `Mcp-Param-<name>` headers of one call: arguments that a tool's schema marks with `x-mcp-header` (MCP 2026-07-28,
 * Streamable HTTP). Servers refuse a call whose header is missing or does not agree with the body. Empty when the schema
 * marks nothing.
 */
export function parameterHeaders(inputSchema: unknown, argumentsText: string): Record<string, string> {
  const marked = markedProperties(inputSchema, []);
  if (marked.length === 0) return {};
  const given: unknown = JSON.parse(argumentsText);
  const headers: Record<string, string> = {};
  for (const { path, header } of marked) {
    const text = textOf(path.reduce<unknown>((value, key) => (isObject(value) ? value[key] : undefined), given));
    if (text !== null) headers[`Mcp-Param-${header}`] = encode(text);
  }
  return headers;
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

/** Only what has one spelling: text, booleans, and whole numbers that a double holds exactly. */
function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean' || Number.isSafeInteger(value)) return String(value);
  return null;
}

/** Plain where a header can hold the text as it is, else base64 in the marks the specification gives. */
function encode(text: string): string {
  const isPlain = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !text.startsWith('=?base64?');
  return isPlain ? text : `=?base64?${Buffer.from(text, 'utf8').toString('base64')}?=`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const DEEPEST = 16;
/** RFC 9110, 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
