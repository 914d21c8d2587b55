import { z } from 'zod';
import type { ToolDefinition } from '../../../shared/model.ts';
import { MAX_DEPTH, nestsDeeper } from './fingerprint.ts';

/** One definition of one upstream, in bytes of JSON. */
export const MAX_DEFINITION_BYTES = 256 * 1024;
/** Tools of one upstream. */
export const MAX_TOOLS = 5_000;
/** Characters of a tool's name (MCP 2025-11-25, tool names). */
export const MAX_NAME = 128;

/** A definition that can be used, with its exact JSON text as it is stored. */
export interface Definition {
  readonly definition: ToolDefinition;
  readonly text: string;
}

/**
 * Sorts what an upstream listed into usable definitions and sentences about the others: one bad definition never costs
 * the good ones (security row G8). Of two tools with one name the first stands.
 */
export function readDefinitions(listed: readonly unknown[]): {
  readonly usable: ReadonlyMap<string, Definition>;
  readonly problems: readonly string[];
} {
  const usable = new Map<string, Definition>();
  const problems: string[] = [];
  for (const [index, item] of listed.entries()) {
    const read = readDefinition(item);
    if (typeof read === 'string') {
      problems.push(`Left out: ${labelOf(item, index)} ${read}.`);
    } else if (usable.has(read.definition.name)) {
      problems.push(`Left out: ${labelOf(item, index)} is listed twice; the first one stands.`);
    } else if (usable.size >= MAX_TOOLS) {
      problems.push(`Left out: ${listed.length - index} more tools; one upstream may have ${MAX_TOOLS}.`);
      break;
    } else {
      usable.set(read.definition.name, read);
    }
  }
  return { usable, problems };
}

/** A definition, or what is wrong with it as the end of a sentence. */
function readDefinition(item: unknown): Definition | string {
  if (nestsDeeper(item, MAX_DEPTH)) return `nests deeper than ${MAX_DEPTH} levels`;
  const parsed = toolSchema.safeParse(item);
  if (!parsed.success) return parsed.error.issues[0]?.message ?? 'is not a tool definition';
  const text = JSON.stringify(item);
  if (Buffer.byteLength(text) > MAX_DEFINITION_BYTES) return `is larger than ${MAX_DEFINITION_BYTES / 1024} kB`;
  const header = headerProblem(parsed.data.inputSchema);
  // The item itself, not zod's copy: members and their order stay as they were sent.
  return header ?? { definition: item as ToolDefinition, text };
}

const object = (message: string) => z.custom<Record<string, unknown>>(isObject, { message, abort: true });
const text = (member: string) => z.string({ message: `has a ${member} that is no text` }).optional();

const toolSchema = z.looseObject(
  {
    name: z
      .string({ message: 'has no name' })
      .min(1, { message: 'has an empty name', abort: true })
      .max(MAX_NAME, { message: `has a name of more than ${MAX_NAME} characters`, abort: true })
      // SECURITY: what cannot be seen, re-orders text or separates words must not be part of a name (G8, F3, F5).
      .regex(/^[^\s/\p{C}\p{Default_Ignorable_Code_Point}]*$/u, {
        message: 'has a name with spaces, slashes, control or invisible characters',
      }),
    title: text('title'),
    description: text('description'),
    inputSchema: object('has no input schema that is an object'),
    outputSchema: object('has an output schema that is no object').optional(),
    annotations: object('has annotations that are no object').optional(),
  },
  { message: 'is no object' },
);

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * `x-mcp-header` makes clients mirror an argument into an HTTP header, so a bad one must cost the whole tool (MCP
 * 2026-07-28, Streamable HTTP): a token, on a primitive property reached through `properties` alone, no two alike.
 */
function headerProblem(inputSchema: Readonly<Record<string, unknown>>): string | null {
  const seen = new Set<string>();
  const visit = (value: unknown, place: 'root' | 'property' | 'elsewhere'): string | null => {
    if (typeof value !== 'object' || value === null) return null;
    if (isObject(value) && Object.hasOwn(value, HEADER) && !isObject(value[HEADER])) {
      const header = value[HEADER];
      if (typeof header !== 'string' || !/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/.test(header)) {
        return 'asks for an HTTP header with an impossible name (x-mcp-header)';
      }
      if (place !== 'property' || !PRIMITIVE.has(value.type)) {
        return 'asks for an HTTP header where none is possible (x-mcp-header)';
      }
      if (seen.has(header.toLowerCase())) return 'asks for the same HTTP header twice (x-mcp-header)';
      seen.add(header.toLowerCase());
    }
    for (const [key, member] of Object.entries(value)) {
      if (DATA_KEYWORDS.has(key)) continue;
      const below = key === 'properties' && place !== 'elsewhere' ? 'property' : 'elsewhere';
      const found =
        key === 'properties' && isObject(member)
          ? first(Object.values(member), (property) => visit(property, below))
          : visit(member, 'elsewhere');
      if (found !== null) return found;
    }
    return null;
  };
  return visit(inputSchema, 'root');
}

const HEADER = 'x-mcp-header';
/** Keywords whose value is data, not a schema: what looks like a keyword in there is none. */
const DATA_KEYWORDS: ReadonlySet<string> = new Set(['default', 'const', 'enum', 'example', 'examples']);

const PRIMITIVE: ReadonlySet<unknown> = new Set(['string', 'integer', 'number', 'boolean']);

function first<T>(items: readonly T[], look: (item: T) => string | null): string | null {
  for (const item of items) {
    const found = look(item);
    if (found !== null) return found;
  }
  return null;
}

/** How a problem names a tool: its name with everything unprintable escaped, or its place in the list. */
function labelOf(item: unknown, index: number): string {
  const name = isObject(item) ? item.name : undefined;
  if (typeof name !== 'string' || name === '') return `tool ${index + 1} of the list`;
  const shown = JSON.stringify(name.slice(0, 60)).replace(
    /[^\x20-\x7e\xa1-\xac\xae-\u024f]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
  return `tool ${shown}${name.length > 60 ? '…' : ''}`;
}
