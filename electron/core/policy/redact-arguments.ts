import type { RuleModifiers } from '../../../shared/model.ts';
import { createRedactor, type RedactionMade, redactJson } from './redact-json.ts';
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
  const redactor = createRedactor(modifiers ?? [], 'redactArgs', searchTime());
  if (redactor === null) return { text, recorded: text, redactions: [] };
  const left = redactJson(text, redactor);
  const redactions = redactor.made();
  return { text: left, recorded: left === text ? text : redactJson(text, { ...redactor, marks: true }), redactions };
}
