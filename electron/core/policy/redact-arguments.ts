import type { RuleModifiers } from '../../../shared/model.ts';
import { createRedactor, PLAIN, type RedactionMade, redactJson, type Shape } from './redact-json.ts';
import { searchTime } from './search.ts';

export interface RedactedArguments {
  /** What is shown, hashed and forwarded: the same text, byte for byte, where nothing was taken out. */
  readonly text: string;
  /** The same for a record: whatever was taken out is marked as such, of whichever type it was. */
  readonly recorded: string;
  readonly redactions: readonly RedactionMade[];
}

/**
 * The arguments without what the `redactArgs` of the matching rules take out. Redacting what is left takes nothing more
 * out.
 *
 * @param text the exact text of the arguments, valid JSON.
 */
export function redactArguments(modifiers: readonly RuleModifiers[] | undefined, text: string): RedactedArguments {
  return redactIn(PLAIN, modifiers, text);
}

/** The same for the params of what an upstream asks of a client: members of the protocol stay what they are. */
export function redactQuestion(modifiers: readonly RuleModifiers[] | undefined, text: string): RedactedArguments {
  return redactIn(QUESTION, modifiers, text);
}

const OF_THE_PROTOCOL: ReadonlySet<string> = new Set([
  'type',
  'mimeType',
  'role',
  'mode',
  'maxTokens',
  'elicitationId',
]);

const QUESTION: Shape = {
  root: [],
  ownsNames: () => false,
  treat: (path) => (OF_THE_PROTOCOL.has(path.at(-1) ?? '') ? 'leave' : 'data'),
};

function redactIn(shape: Shape, modifiers: readonly RuleModifiers[] | undefined, text: string): RedactedArguments {
  const redactor = createRedactor(modifiers ?? [], 'redactArgs', searchTime());
  if (redactor === null) return { text, recorded: text, redactions: [] };
  const left = redactJson(text, redactor, shape);
  const redactions = redactor.made();
  const recorded = left === text ? text : redactJson(text, { ...redactor, marks: true }, shape);
  return { text: left, recorded, redactions };
}
