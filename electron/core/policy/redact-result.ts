import type { HoldTest, RuleModifiers } from '../../../shared/model.ts';
import { compileCondition } from './conditions.ts';
import { newBudget } from './decide.ts';
import { createRedactor, type RedactionMade, redactJson, type Shape } from './redact-json.ts';
import { searchTime } from './search.ts';

/** What the rules of a call make of what came back for it. */
export interface RuledResult {
  /** The text to relay: that which came, byte for byte, where nothing was taken out. */
  readonly text: string;
  readonly redactions: readonly RedactionMade[];
  /** The first rule by name that wants the person to see it before the agent does, and why in a sentence; null: none. */
  readonly hold: { readonly rule: string; readonly reason: string } | null;
}

/**
 * Applies `redactResult` and `holdResult` of every rule that matched the call. Whether it is held is told from the result
 * as it came, what is shown and relayed is what is left of it.
 *
 * @param text valid JSON: the result of a tool call, a prompt or a resource read; the error of an upstream; or the `params`
 *   of a notification.
 */
export function applyResultRules(modifiers: readonly RuleModifiers[], text: string): RuledResult {
  const redactor = createRedactor(modifiers, 'redactResult', searchTime());
  const hold = holdOf(modifiers, text);
  if (redactor === null) return { text, redactions: [], hold };
  return { text: redactJson(text, redactor, RESULT), redactions: redactor.made(), hold };
}

/** Whether any of the rules has something to do with what comes back. */
export function rulesResults(modifiers: readonly RuleModifiers[] | undefined): boolean {
  return (
    modifiers?.some(({ redactResult, holdResult }) => redactResult !== undefined || holdResult !== undefined) ?? false
  );
}

/** Where a result of MCP has text of the server (CallToolResult, GetPromptResult, ReadResourceResult; 2026-07-28, schema). */
const RESULT: Shape = {
  root: ['structuredContent'],
  ownsNames: ([first]) => first === 'structuredContent' || first === 'data',
  treat(path) {
    const [first] = path;
    const last = path.at(-1);
    if (first === 'structuredContent' || first === 'data') return 'data';
    if (path.length === 1 && MEMBERS_OF_MESSAGES.has(last ?? '')) return 'leave';
    if (last === 'type' || last === 'mimeType' || last === 'role' || last === 'resultType') return 'leave';
    // Images and sounds.
    if (last === 'data' && path.length > 2) return 'leave';
    return last === 'blob' ? 'blob' : last === 'text' || last === 'message' ? 'text' : 'data';
  },
};

/** Of errors, progress and log lines: what the protocol has beside the words of the server. */
const MEMBERS_OF_MESSAGES: ReadonlySet<string> = new Set(['code', 'progress', 'total', 'progressToken', 'level']);

function holdOf(modifiers: readonly RuleModifiers[], text: string): RuledResult['hold'] {
  for (const { rule, holdResult } of modifiers) {
    for (const test of holdResult ?? []) {
      const why = whyHeld(test, rule, text);
      if (why !== null) return { rule, reason: why };
    }
  }
  return null;
}

function whyHeld(test: HoldTest, rule: string, text: string): string | null {
  if ('always' in test) return `The rule "${rule}" holds every result of such a call.`;
  if ('op' in test) {
    const holds = compileCondition(test);
    const budget = newBudget();
    // What cannot be told counts against the call, here as in a decision.
    const isMet = valuesIn(text).some((value) => holds(value, budget) !== false);
    return isMet ? `The rule "${rule}" holds a result whose ${test.field} is ${test.op} what it names.` : null;
  }
  const found = createRedactor([{ rule, redactResult: [test] }], 'redactResult', searchTime());
  if (found === null) return null;
  redactJson(text, found, RESULT);
  const [made] = found.made();
  if (made === undefined) return null;
  return made.count === 0
    ? `The rule "${rule}" holds this result, because it is too long to be searched for what the rule names.`
    : `The rule "${rule}" holds a result in which it finds its ${made.what}.`;
}

/** What a comparison can be about: the structured content, and every text that is JSON. */
function valuesIn(text: string): readonly unknown[] {
  const result = JSON.parse(text) as Readonly<Record<string, unknown>>;
  const blocks = Array.isArray(result.content) ? (result.content as readonly unknown[]) : [];
  const texts = blocks.flatMap((block) =>
    isRecord(block) && typeof block.text === 'string' ? jsonIn(block.text) : [],
  );
  return [...(result.structuredContent === undefined ? [] : [result.structuredContent]), ...texts];
}

function jsonIn(text: string): readonly unknown[] {
  if (!/^\s*[[{]/.test(text)) return [];
  try {
    return [JSON.parse(text)];
  } catch {
    return [];
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
