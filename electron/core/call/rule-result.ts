import type { RuleModifiers } from '../../../shared/model.ts';
import type { CallEnding, ToolCall } from '../call-tool.ts';
import type { Tool } from '../catalog/inventory.ts';
import type { ArgumentCheck } from '../catalog/validate-arguments.ts';
import type { Written } from '../exact-text.ts';
import { applyResultRules, rulesResults } from '../policy/redact-result.ts';
import type { Aim } from './aim.ts';
import type { CallRecord } from './record.ts';

/** A result that a rule wants the person to see before the agent gets it. It ran; nothing of it was given to anybody yet. */
export interface HeldResult {
  readonly call: ToolCall;
  readonly aim: Aim;
  readonly record: CallRecord;
  readonly rule: string;
  /** One sentence: why this rule holds it. */
  readonly reason: string;
  /** What the agent gets when it is released, redacted where rules say so: this is what is shown. */
  readonly ending: Extract<CallEnding, { readonly kind: 'answered' | 'relayed' }>;
}

/** Asks the person. What comes back is the ending of the call: the one that was held, or a refusal that says why not. */
export type HoldResult = (held: HeldResult) => Promise<CallEnding>;

/** What the rules of a call make of its ending: redacted, held, or as it is. */
export async function ruleResult(
  hold: HoldResult | null,
  checkOutput: (tool: Tool, structuredText: string) => ArgumentCheck,
  { call, aim, record }: Pick<HeldResult, 'call' | 'aim' | 'record'>,
  modifiers: readonly RuleModifiers[] | undefined,
  ending: CallEnding,
): Promise<CallEnding> {
  if (
    (ending.kind !== 'answered' && ending.kind !== 'relayed') ||
    modifiers === undefined ||
    !rulesResults(modifiers)
  ) {
    return ending;
  }
  const came = textOf(ending);
  const { text, redactions, hold: held } = applyResultRules(modifiers, came);
  const left = text === came ? ending : fitting(withText(ending, text), aim.tool, checkOutput);
  record.resultRuled(came, redactions);
  if (held === null) return left;
  if (hold === null) return unheld(held.rule);
  return hold({ call, aim, record, ...held, ending: left });
}

/**
 * Types stay when something is taken out, formats and patterns need not. A client refuses structured content that does not
 * fit the output schema it was shown, so what no longer fits is left out, and the result says so.
 */
function fitting(
  ending: Ruled,
  tool: Tool | null,
  checkOutput: (tool: Tool, structuredText: string) => ArgumentCheck,
): Ruled {
  if (ending.kind !== 'answered' || tool === null || tool.reviewed?.outputSchema === undefined) return ending;
  const { structuredContent, content, ...rest } = ending.result;
  if (structuredContent === undefined || ending.result.isError === true) return ending;
  if (checkOutput(tool, JSON.stringify(structuredContent)).kind === 'valid') return ending;
  const blocks: readonly unknown[] = Array.isArray(content) ? content : [];
  const result = { ...rest, content: [...blocks, { type: 'text', text: UNFIT }], isError: true };
  const resultText = JSON.stringify(result);
  return { ...ending, result, resultText, bytes: Buffer.byteLength(resultText) };
}

const UNFIT =
  'Gatehouse: the call did run. A rule of the policy took something out of its result, and the structured content no longer fits the output schema of the tool, so it is left out.';

/** What an upstream says while it works on a call is redacted like its result. */
export function ruledNotes(
  { onProgress, onNotification }: Pick<ToolCall, 'onProgress' | 'onNotification'>,
  modifiers: readonly RuleModifiers[] | undefined,
): Pick<ToolCall, 'onProgress' | 'onNotification'> {
  const redacting = (modifiers ?? []).flatMap(({ rule, redactResult }) =>
    redactResult === undefined ? [] : [{ rule, redactResult }],
  );
  if (redacting.length === 0) return { onProgress, onNotification };
  const ruled = (text: string) => applyResultRules(redacting, text).text;
  return {
    onProgress(progress) {
      const text = ruled(progress.text);
      if (text === progress.text) return onProgress(progress);
      const { message } = JSON.parse(text) as { readonly message?: string };
      onProgress({ ...progress, ...(message === undefined ? {} : { message }), text });
    },
    onNotification(method, params) {
      const text = ruled(params.text);
      onNotification(method, text === params.text ? params : { value: JSON.parse(text) as Written['value'], text });
    },
  };
}

type Ruled = HeldResult['ending'];

/** The exact text of what came. */
export function textOf(ending: Ruled): string {
  if (ending.kind === 'answered') return ending.resultText;
  const { code, message, data, text } = ending;
  return text ?? JSON.stringify({ code, message, ...(data === undefined ? {} : { data }) });
}

function withText(ending: Ruled, text: string): Ruled {
  const read: unknown = JSON.parse(text);
  if (ending.kind === 'answered') {
    const result = read as Readonly<Record<string, unknown>>;
    return { ...ending, result, resultText: text, bytes: Buffer.byteLength(text) };
  }
  const { message, data } = read as { readonly message: string; readonly data?: unknown };
  return { ...ending, message, ...(data === undefined ? {} : { data }), text };
}

function unheld(rule: string): CallEnding {
  return {
    kind: 'refused',
    errorClass: 'approval_unavailable',
    message: `The call did run, and its result is held by rule "${rule}": nobody can look at it now, so it is not given out.`,
    rule,
    retryable: false,
  };
}
