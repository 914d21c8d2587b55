import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { RE2JS } from 're2js';
import { readExactText } from '../exact-json.ts';
import type { Tool } from './inventory.ts';

export type ArgumentCheck =
  | { readonly kind: 'valid'; readonly value: Readonly<Record<string, unknown>> }
  /** `message` names the field. */
  | { readonly kind: 'invalid'; readonly message: string };

/** Compiled schemas kept at once; a schema is compiled when its tool is first called. */
const KEEP = 500;

/**
 * Checks arguments against the schema that was reviewed. A server's schema is untrusted: its patterns run in a
 * linear-time engine (security.md D7), nothing is ever fetched for a `$ref`, and a schema that does not compile checks
 * nothing here (the upstream still does).
 */
export function createArgumentCheck(): (tool: Tool, argumentsText: string) => ArgumentCheck {
  const compiled = new Map<string, ValidateFunction | null>();

  return (tool, argumentsText) => {
    const read = readExactText(argumentsText);
    if (read.kind === 'refused') return { kind: 'invalid', message: read.message };
    const { value } = read;
    if (!isObject(value)) return { kind: 'invalid', message: 'The arguments must be a JSON object.' };

    let validate = compiled.get(tool.fingerprint);
    if (validate === undefined) {
      validate = compile(tool.reviewed?.inputSchema);
      if (compiled.size >= KEEP) compiled.delete(compiled.keys().next().value ?? '');
      compiled.set(tool.fingerprint, validate);
    }
    if (validate === null || validate(value) === true) return { kind: 'valid', value };
    return { kind: 'invalid', message: sentenceOf(validate.errors?.[0]) };
  };
}

function compile(schema: Readonly<Record<string, unknown>> | undefined): ValidateFunction | null {
  if (schema === undefined) return null;
  const ajv = new Ajv2020({
    strict: false,
    validateFormats: false,
    allErrors: false,
    logger: false,
    code: { regExp: Object.assign(linearTime, { code: 'linearTime' }) },
  });
  try {
    const { $schema: _draft, $id: _id, ...rest } = withoutQuadratic(schema) as Record<string, unknown>;
    return ajv.compile(rest);
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
 * What Ajv needs of a regular expression, answered by RE2: it cannot run longer than the text is long. A pattern RE2
 * does not know (look-around, back-references) throws here, and the schema that holds it checks nothing.
 */
function linearTime(pattern: string): { test(text: string): boolean } {
  const re = RE2JS.compile(RE2JS.translateRegExp(pattern));
  return { test: (text) => re.matcher(text).find() };
}

function sentenceOf(error: ErrorObject | undefined): string {
  if (error === undefined) return 'The arguments do not fit the tool.';
  const { keyword, params, instancePath, message } = error;
  const field = instancePath === '' ? 'The arguments' : `Field "${instancePath.slice(1).replaceAll('/', '.')}"`;
  if (keyword === 'required') return `Field "${join(instancePath, params.missingProperty)}" is missing.`;
  if (keyword === 'additionalProperties')
    return `Field "${join(instancePath, params.additionalProperty)}" is not one of this tool's fields.`;
  if (keyword === 'enum') return `${field} must be one of ${JSON.stringify(params.allowedValues).slice(0, 300)}.`;
  return `${field} ${message ?? 'does not fit'}.`;
}

function join(path: string, name: unknown): string {
  return [...path.split('/').slice(1), String(name)].join('.');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
