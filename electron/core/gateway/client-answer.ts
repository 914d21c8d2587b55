import { readExactText } from '../exact-json.ts';
import type { AskAnswer } from '../upstreams/request.ts';
import { ERROR_PATH, RESULT_PATH } from './arrival.ts';

/**
 * A client's answer to a question of an upstream goes through the SDK with its exact text beside it: schemas keep members
 * they do not know, and overwriting whatever stands there leaves nothing for a client to forge.
 */
export function withAnswerText(message: unknown, slices: ReadonlyMap<string, string>): unknown {
  if (!isObject(message)) return message;
  const { result, error } = message;
  if (isObject(result)) return { ...message, result: { ...result, [ANSWER]: slices.get(RESULT_PATH) } };
  if (isObject(error)) return { ...message, error: { ...error, data: { [ANSWER]: slices.get(ERROR_PATH) } } };
  return message;
}

/** What the SDK made of a message of `withAnswerText`. */
export function answerFrom(result: Readonly<Record<string, unknown>>): AskAnswer {
  const { [ANSWER]: text, ...value } = result;
  return { kind: 'result', result: { value, text: typeof text === 'string' ? text : JSON.stringify(value) } };
}

/** The client's own error, of which the SDK kept the data; null: it is not the client's. */
export function errorFrom(data: unknown): AskAnswer | null {
  const text = isObject(data) ? data[ANSWER] : undefined;
  if (typeof text !== 'string') return null;
  const read = readExactText(text);
  if (read.kind === 'refused' || !isObject(read.value)) return null;
  const { code, message, data: given } = read.value;
  if (typeof code !== 'number' || typeof message !== 'string') return null;
  return { kind: 'error', code, message, ...(given === undefined ? {} : { data: given }), text };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const ANSWER = 'gatehouse:exact';
