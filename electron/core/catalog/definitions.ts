import { z } from 'zod';
import { wordFor } from '../../../shared/kinds.ts';
import type { Definition, DefinitionKind } from '../../../shared/model.ts';
import { MAX_DEPTH, nestsDeeper } from './fingerprint.ts';

/** One definition of one upstream, in bytes of JSON. */
export const MAX_DEFINITION_BYTES = 256 * 1024;
/** Definitions of one kind of one upstream. */
export const MAX_DEFINITIONS = 5_000;
/** Characters of a tool's or prompt's name (MCP 2025-11-25, tool names). */
export const MAX_NAME = 128;
export const MAX_URI_TEMPLATE = 2_000;

/** A definition that can be used, with its exact JSON text as it is stored. */
export interface UsableDefinition {
  readonly definition: Definition;
  readonly text: string;
}

/**
 * Sorts what an upstream listed into usable definitions, by name (resource templates by URI template), and sentences
 * about the others: one bad definition never costs the good ones (security row G8). Of two of one name the first stands.
 * One definition a step, so that the caller decides how many are read in one turn of the event loop.
 */
export function* readDefinitions(
  listed: readonly unknown[],
  kind: DefinitionKind,
): Generator<
  void,
  {
    readonly usable: ReadonlyMap<string, UsableDefinition>;
    readonly problems: readonly string[];
  }
> {
  const usable = new Map<string, UsableDefinition>();
  const problems: string[] = [];
  for (const [index, item] of listed.entries()) {
    yield;
    const read = readDefinition(item, kind);
    if (typeof read === 'string') {
      problems.push(`Left out: ${labelOf(item, index, kind)} ${read}.`);
    } else if (usable.has(read.name)) {
      problems.push(`Left out: ${labelOf(item, index, kind)} is listed twice; the first one stands.`);
    } else if (usable.size >= MAX_DEFINITIONS) {
      const more = listed.length - index;
      problems.push(`Left out: ${more} more ${wordFor(kind, more)}; one upstream may have ${MAX_DEFINITIONS}.`);
      break;
    } else {
      usable.set(read.name, read);
    }
  }
  return { usable, problems };
}

/** A definition with the name it is known by, or what is wrong with it as the end of a sentence. */
function readDefinition(item: unknown, kind: DefinitionKind): (UsableDefinition & { readonly name: string }) | string {
  if (nestsDeeper(item, MAX_DEPTH)) return `nests deeper than ${MAX_DEPTH} levels`;
  const parsed = SCHEMAS[kind].safeParse(item);
  if (!parsed.success) return parsed.error.issues[0]?.message ?? `is not the definition of a ${wordFor(kind)}`;
  const text = JSON.stringify(item);
  if (Buffer.byteLength(text) > MAX_DEFINITION_BYTES) return `is larger than ${MAX_DEFINITION_BYTES / 1024} kB`;
  const { inputSchema } = parsed.data;
  const header = kind === 'tool' && isObject(inputSchema) ? headerProblem(inputSchema) : null;
  if (header !== null) return header;
  // The item itself, not zod's copy: members and their order stay as they were sent.
  return { name: String(parsed.data[NAMED_BY[kind]]), definition: item as Definition, text };
}

/** The member that tells one definition of a kind from another. Several templates may share one `name`. */
const NAMED_BY = { tool: 'name', prompt: 'name', resource_template: 'uriTemplate' } as const satisfies Readonly<
  Record<DefinitionKind, string>
>;

const object = (message: string) => z.custom<Record<string, unknown>>(isObject, { message, abort: true });
const text = (member: string) => z.string({ message: `has a ${member} that is no text` }).optional();
const name = z
  .string({ message: 'has no name' })
  .min(1, { message: 'has an empty name', abort: true })
  .max(MAX_NAME, { message: `has a name of more than ${MAX_NAME} characters`, abort: true });

// SECURITY: what cannot be seen, re-orders text or separates words must not be part of a name (G8, F3, F5).
const UNSEEN = String.raw`\p{C}\p{Default_Ignorable_Code_Point}`;

const toolSchema = z.looseObject(
  {
    name: name.regex(new RegExp(String.raw`^[^\s/${UNSEEN}]*$`, 'u'), {
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

const BAD_ARGUMENTS = { message: 'has arguments that are no list of objects with names' };

/** A prompt's name is free text by the specification, so single spaces within it are kept (MCP 2025-11-25, prompts). */
const promptSchema = z.looseObject(
  {
    name: name.regex(new RegExp(String.raw`^[^\s${UNSEEN}]+( [^\s${UNSEEN}]+)*$`, 'u'), {
      message: 'has a name with control or invisible characters, or with spaces that cannot be seen',
    }),
    title: text('title'),
    description: text('description'),
    arguments: z.array(z.looseObject({ name: z.string(BAD_ARGUMENTS) }, BAD_ARGUMENTS), BAD_ARGUMENTS).optional(),
  },
  { message: 'is no object' },
);

/** RFC 6570 allows neither spaces nor control characters in a template; its syntax is the upstream's to judge. */
const resourceTemplateSchema = z.looseObject(
  {
    uriTemplate: z
      .string({ message: 'has no URI template' })
      .min(1, { message: 'has an empty URI template', abort: true })
      .max(MAX_URI_TEMPLATE, {
        message: `has a URI template of more than ${MAX_URI_TEMPLATE} characters`,
        abort: true,
      })
      .regex(new RegExp(String.raw`^[^\s${UNSEEN}]*$`, 'u'), {
        message: 'has a URI template with spaces, control or invisible characters',
      }),
    name: z.string({ message: 'has no name' }),
    title: text('title'),
    description: text('description'),
    annotations: object('has annotations that are no object').optional(),
  },
  { message: 'is no object' },
);

const SCHEMAS: Readonly<Record<DefinitionKind, z.ZodType<Record<string, unknown>>>> = {
  tool: toolSchema,
  prompt: promptSchema,
  resource_template: resourceTemplateSchema,
};

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

/** Not `number`: 1.0 and 1 are the same number and not the same header (2026-07-28, custom headers). */
const PRIMITIVE: ReadonlySet<unknown> = new Set(['string', 'integer', 'boolean']);

function first<T>(items: readonly T[], look: (item: T) => string | null): string | null {
  for (const item of items) {
    const found = look(item);
    if (found !== null) return found;
  }
  return null;
}

/** How a problem names a definition: its name with everything unprintable escaped, or its place in the list. */
function labelOf(item: unknown, index: number, kind: DefinitionKind): string {
  const name = isObject(item) ? item[NAMED_BY[kind]] : undefined;
  if (typeof name !== 'string' || name === '') return `${wordFor(kind)} ${index + 1} of the list`;
  const shown = JSON.stringify(name.slice(0, 60)).replace(
    /[^\x20-\x7e\xa1-\xac\xae-\u024f]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
  return `${wordFor(kind)} ${shown}${name.length > 60 ? '…' : ''}`;
}
