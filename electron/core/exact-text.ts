import { membersOf, withoutMembers } from './exact-members.ts';

/** A JSON object: what it says, and how it was written. */
export interface Written {
  readonly value: Readonly<Record<string, unknown>>;
  /** On one line. */
  readonly text: string;
}

/**
 * Stands for an object that goes on as `text`, through a library that would write it anew: parsing and writing turns
 * 9007199254740993 into …992, 1.0 into 1, and sorts names that are numbers. The text travels under a symbol, which
 * spreading an object takes along and `JSON.stringify` does not see; `writeExact` puts it in its place. Members that
 * are set beside it replace those of the text.
 */
export function exactly(text: string): Record<string, unknown> {
  return { [TEXT]: text };
}

/** As `JSON.stringify`, with the texts of `exactly` where they stand. For values that are small beside their texts. */
export function writeExact(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(writeExact).join(',')}]`;
  const own = Object.entries(value).flatMap(([name, member]) =>
    member === undefined ? [] : [`${JSON.stringify(name)}:${writeExact(member)}`],
  );
  const text = textIn(value);
  if (text !== null && own.length === 0) return text;
  const kept = text === null ? [] : membersOf(text).filter(({ name }) => !Object.hasOwn(value, name));
  return `{${[...kept.map(({ source }) => source), ...own].join(',')}}`;
}

/** A value that we made, in both forms. */
export function written(value: Readonly<Record<string, unknown>>): Written {
  return { value, text: JSON.stringify(value) };
}

/** The object without these members of its `_meta`, and without `_meta` where nothing is left of it. */
export function withoutMeta(text: string, leaveOut: (name: string) => boolean): string {
  const meta = membersOf(text).find(({ name }) => name === '_meta');
  if (meta === undefined) return text;
  const kept = withoutMembers(meta.value, leaveOut);
  if (kept === meta.value) return text;
  if (membersOf(kept).length === 0) return withoutMembers(text, (name) => name === '_meta');
  return writeExact({ ...exactly(text), _meta: exactly(kept) });
}

/** A JSON-RPC error that goes on whole: the SDK is given this as its `data`. */
export function exactError(errorText: string): Record<string, unknown> {
  return { [ERROR]: errorText };
}

/**
 * A message for a transport that writes it by `JSON.stringify`. One that carries exact texts (in `params`, `result` or
 * `error`) comes out as a seal around its whole text, which `unsealed` opens right before the wire; it has no toJSON
 * among its members, because schemas refuse what they do not know.
 */
export function sealed<M extends object>(message: M): M {
  const text = exactTextOf(message);
  if (text === null) return message;
  const { id, method } = message as { readonly id?: unknown; readonly method?: unknown };
  return Object.defineProperty({ ...message }, 'toJSON', { value: () => ({ [SEAL]: text, id, method }) });
}

/** The text that goes over the wire, and who it is: of a sealed message without parsing what is in it. */
export function unsealed(json: string): { readonly text: string; readonly id?: unknown; readonly method?: unknown } {
  const { [SEAL]: text, id, method } = JSON.parse(json) as Record<string, unknown>;
  return { text: typeof text === 'string' ? text : json, id, method };
}

/** How a sealed message begins. No other message can: the first member of one is never the sender's to name. */
export const SEALED = '{"gatehouse:exact":';

/** The whole text of a message that carries exact texts; null: there are none, `JSON.stringify` does. */
export function exactTextOf(message: object): string | null {
  const { params, result, error } = message as Record<string, unknown>;
  if (textIn(params) !== null || textIn(result) !== null) return writeExact(message);
  if (typeof error !== 'object' || error === null || !('data' in error)) return null;
  const whole = symbolIn(error.data, ERROR);
  if (whole !== null) return writeExact({ ...message, error: exactly(whole) });
  return textIn(error.data) === null ? null : writeExact(message);
}

function textIn(value: unknown): string | null {
  return symbolIn(value, TEXT);
}

function symbolIn(value: unknown, symbol: symbol): string | null {
  if (typeof value !== 'object' || value === null) return null;
  const text: unknown = (value as Record<symbol, unknown>)[symbol];
  return typeof text === 'string' ? text : null;
}

const TEXT = Symbol('exact text');
const ERROR = Symbol('exact error');
const SEAL = 'gatehouse:exact';
