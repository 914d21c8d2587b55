import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { RE2JS } from 're2js';
import type { ToolDefinition } from '../../../shared/model.ts';
import { readExactText } from '../exact-json.ts';
import { createTimeLimit, TOO_LONG } from '../time-limit.ts';
import type { Tool } from './inventory.ts';

export type ArgumentCheck =
  | { readonly kind: 'valid'; readonly value: Readonly<Record<string, unknown>> }
  /** `message` names the field. */
  | { readonly kind: 'invalid'; readonly message: string };

/** Compiled schemas kept at once; a schema is compiled when its tool is first called. */
const KEEP = 500;
/** Longest that one schema may compile, and one check may run. Everybody waits meanwhile (P22). */
const BUDGET_MS = 80;
/** Arguments up to this many characters cannot take long unless the schema refers to itself or has patterns. */
const SHORT = 65_536;

interface Compiled {
  readonly validate: ValidateFunction;
  /** Its time is not bounded by the lengths of schema and arguments alone. */
  readonly isHeavy: boolean;
}

/**
 * Checks arguments against the schema that was reviewed. A server's schema is untrusted: nothing is ever fetched for a
 * `$ref`, a schema that does not compile in time checks nothing here (the upstream still does), patterns run in a
 * linear-time engine where it knows them, and a check that takes too long is an answer too (security.md D7).
 *
 * @param of which schema of a tool; the one of its arguments, when left out.
 */
export function createArgumentCheck(
  of: (reviewed: ToolDefinition) => Readonly<Record<string, unknown>> | undefined = ({ inputSchema }) => inputSchema,
): (tool: Tool, argumentsText: string) => ArgumentCheck {
  const compiled = new Map<string, Compiled | null>();
  const within = createTimeLimit(BUDGET_MS);

  function schemaOf({ fingerprint, reviewed }: Tool): Compiled | null {
    const known = compiled.get(fingerprint);
    if (known !== undefined) return known;
    const made = within(() => compile(reviewed === null ? undefined : of(reviewed)));
    const schema = made === TOO_LONG ? null : made;
    if (compiled.size >= KEEP) compiled.delete(compiled.keys().next().value ?? '');
    compiled.set(fingerprint, schema);
    return schema;
  }

  return (tool, argumentsText) => {
    const read = readExactText(argumentsText);
    if (read.kind === 'refused') return { kind: 'invalid', message: read.message };
    const { value } = read;
    if (!isObject(value)) return { kind: 'invalid', message: 'The arguments must be a JSON object.' };

    const schema = schemaOf(tool);
    if (schema === null) return { kind: 'valid', value };
    const { validate, isHeavy } = schema;
    const fits = isHeavy || argumentsText.length > SHORT ? within(() => validate(value)) : validate(value);
    if (fits === true) return { kind: 'valid', value };
    if (fits === TOO_LONG) {
      return { kind: 'invalid', message: "The arguments take too long to check against the tool's schema; send less." };
    }
    return { kind: 'invalid', message: sentenceOf(validate.errors?.[0]) };
  };
}

function compile(schema: Readonly<Record<string, unknown>> | undefined): Compiled | null {
  if (schema === undefined) return null;
  const ajv = new Ajv2020({
    strict: false,
    validateFormats: false,
    // The schema of schemas takes longer to compile than any tool's, and what is wrong shows in compiling anyway.
    meta: false,
    validateSchema: false,
    allErrors: false,
    logger: false,
    code: { regExp: Object.assign(searcher, { code: 'searcher' }) },
  });
  try {
    const { $schema: _draft, $id: _id, ...rest } = withoutQuadratic(schema) as Record<string, unknown>;
    return { validate: ajv.compile(rest), isHeavy: /"(\$\w*ref|pattern\w*)":/i.test(JSON.stringify(rest)) };
  } catch {
    return null;
  }
}

/** `uniqueItems` compares every pair: a long list of a hostile caller would stall everybody. The upstream checks it. */
function withoutQuadratic(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutQuadratic);
  if (!isObject(schema)) return schema;
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key, value]) => !(key === 'uniqueItems' && typeof value === 'boolean'))
      .map(([key, value]) => [key, withoutQuadratic(value)]),
  );
}

/**
 * What Ajv needs of a regular expression, answered by RE2: it cannot run longer than the text is long. A pattern that RE2
 * does not know (look-around, back-references) runs in V8's own engine, within the budget. One that nobody knows throws
 * here, and the schema that holds it checks nothing.
 */
function searcher(pattern: string): { test(text: string): boolean; toString(): string } {
  const test = linearTime(pattern) ?? native(pattern);
  // Ajv keeps one expression for each text that `toString` gives; without it all patterns would be the first one.
  return { test, toString: () => pattern };
}

function linearTime(pattern: string): ((text: string) => boolean) | null {
  try {
    const re = RE2JS.compile(RE2JS.translateRegExp(pattern));
    return (text) => re.matcher(text).find();
  } catch {
    return null;
  }
}

function native(pattern: string): (text: string) => boolean {
  const re = new RegExp(pattern, 'u');
  return (text) => re.test(text);
}

function sentenceOf(error: ErrorObject | undefined): string {
  if (error === undefined) return 'The arguments do not fit the tool.';
  const { keyword, params, instancePath, message } = error;
  const field = instancePath === '' ? 'The arguments' : `Field "${instancePath.slice(1).replaceAll('/', '.')}"`;
  if (keyword === 'required') return `Field "${join(instancePath, params.missingProperty)}" is missing.`;
  if (keyword === 'additionalProperties')
    return `Field "${join(instancePath, params.additionalProperty)}" is not one of this tool's fields.`;
  if (keyword === 'enum') return `${field} must be one of ${JSON.stringify(params.allowedValues).slice(0, 300)}.`;
  return `${field} ${(message ?? 'does not fit').slice(0, 300)}.`;
}

function join(path: string, name: unknown): string {
  return [...path.split('/').slice(1), String(name)].join('.');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
