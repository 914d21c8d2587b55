import { ProtocolError } from '@modelcontextprotocol/server';
import { ERRORS, type ErrorClass, PHRASES } from '../../../shared/errors.ts';
import type { Era } from '../../../shared/model.ts';
import type { CallEnding } from '../call-tool.ts';
import { exactError, exactly, writeExact } from '../exact-text.ts';
import { requestIdData } from './responses.ts';

/** A result in the form of MCP's CallToolResult; unknown members of an upstream's result are kept. */
export type ToolResult = Readonly<Record<string, unknown>>;

/** Either a result the model can read, or a JSON-RPC error. */
export type ToolAnswer =
  | {
      readonly kind: 'result';
      readonly result: ToolResult;
      /** An upstream's own result goes on as this text. */
      readonly text?: string;
    }
  | {
      readonly kind: 'error';
      readonly code: number;
      readonly message: string;
      readonly data?: unknown;
      /** An upstream's own error: it goes on unchanged, without our request id; as this text where there is one. */
      readonly relayed?: true;
      readonly text?: string;
    };

/** `origin` is ours, as the caller reached it: `http://127.0.0.1:3100`. */
export function answerOf(
  ending: CallEnding,
  about: { readonly requestId: string; readonly named: string; readonly origin: string },
): ToolAnswer {
  const { requestId, origin } = about;
  switch (ending.kind) {
    case 'answered':
      return { kind: 'result', result: ending.result, text: ending.resultText };
    case 'relayed':
      return {
        kind: 'error',
        code: ending.code,
        message: ending.message,
        relayed: true,
        ...(ending.data === undefined ? {} : { data: ending.data }),
        ...(ending.text === undefined ? {} : { text: ending.text }),
      };
    case 'input_required':
      return { kind: 'result', result: ending.result.value, text: ending.result.text };
    case 'invalid_state':
      return {
        kind: 'error',
        code: -32602,
        message:
          'requestState is not one of ours for this call, or it has expired or been used. Make the call again without it.',
      };
    case 'unknown_tool':
      return unknownTool(about.named);
    case 'cancelled':
      return { kind: 'error', code: -32800, message: 'The call was cancelled.' };
    case 'pending':
      return {
        kind: 'result',
        result: refusal('approval_pending', pendingText(ending, origin), {
          requestId,
          origin,
          rule: ending.rule,
          more: {
            'gatehouse/approvalId': ending.approvalId,
            'gatehouse/expiresAt': new Date(ending.expiresAt).toISOString(),
          },
        }),
      };
    case 'refused':
      return {
        kind: 'result',
        result: refusal(ending.errorClass, ending.message, {
          requestId,
          origin,
          rule: ending.rule,
          ...(ending.retryable === undefined ? {} : { retryable: ending.retryable }),
          ...(ending.retryAfterMs === undefined
            ? {}
            : { more: { 'gatehouse/retryAfterSeconds': Math.ceil(ending.retryAfterMs / 1000) } }),
        }),
      };
    case 'failed': {
      const { errorClass, upstream } = ending;
      const about = { requestId, origin, rule: null, upstream };
      return { kind: 'result', result: refusal(errorClass, failureText(ending, origin), about) };
    }
  }
}

/** The same words for a tool that does not exist and one the client may not see (security.md B9). */
export function unknownTool(name: string): ToolAnswer {
  return { kind: 'error', code: -32602, message: `Unknown tool: ${name}. find_tools tells which tools there are.` };
}

/** The answer as the JSON-RPC error it is; one of our own says which request it was, for the log and the audit. */
export function errorOf(answer: ToolAnswer & { readonly kind: 'error' }, requestId: string, era: Era): ProtocolError {
  const { code, message, data, relayed, text } = answer;
  if (relayed === true) {
    if (text === undefined) return new ProtocolError(code, message, data);
    // 2026-07-28 has no code of its own for an unknown resource.
    const isRenamed = era === 'modern' && code === RESOURCE_NOT_FOUND;
    const error = isRenamed ? writeExact({ ...exactly(text), code: INVALID_PARAMS }) : text;
    return new ProtocolError(code, message, exactError(error));
  }
  const kept = typeof data === 'object' && data !== null ? data : {};
  return new ProtocolError(code, message, { ...kept, ...requestIdData(requestId) });
}

const RESOURCE_NOT_FOUND = -32002;
const INVALID_PARAMS = -32602;

/** A refusal a model can read and act on; code, class and link are in `_meta` for programs (design section 6). */
export function refusal(
  errorClass: ErrorClass,
  message: string,
  about: {
    readonly requestId: string;
    readonly origin: string;
    readonly rule: string | null;
    /** Whose accounts the link opens, where it opens accounts. */
    readonly upstream?: string | null;
    /** Where this one differs from what its class says. */
    readonly retryable?: boolean;
    readonly more?: Readonly<Record<string, unknown>>;
  },
): ToolResult {
  const entry = ERRORS[errorClass];
  const text = message.startsWith(`${errorClass}:`) ? message : `${errorClass}: ${message}`;
  const retryable = about.retryable ?? entry.retryable;
  const fix = retryable === entry.retryable ? entry.fix : retryable ? 'Call again later.' : 'Do not call again.';
  const link = entry.page === null ? null : linkTo(about.origin, entry.page, about.upstream);
  return {
    isError: true,
    content: [
      { type: 'text', text: `${text}\n${fix}${link === null ? '' : ` (${link})`}\nrequest ${about.requestId}` },
    ],
    _meta: {
      'gatehouse/code': entry.code,
      'gatehouse/class': errorClass,
      'gatehouse/requestId': about.requestId,
      'gatehouse/rule': about.rule,
      'gatehouse/retryable': retryable,
      'gatehouse/link': link,
      ...about.more,
    },
  };
}

function pendingText(ending: CallEnding & { kind: 'pending' }, origin: string): string {
  const rule = ending.rule === null ? 'the default effect of the policy' : `rule "${ending.rule}"`;
  if (ending.hasRun === true)
    return `approval_pending: the call did run, and a person has not released its result yet (${rule} holds it). Approval ${ending.approvalId}, open until ${new Date(ending.expiresAt).toISOString()}. Call again with the same arguments: you get this result, the call does not run again. ${linkTo(origin, 'approvals')}`;
  return `approval_pending: a person has not answered yet (${rule} asks). Approval ${ending.approvalId}, open until ${new Date(ending.expiresAt).toISOString()}. Call again with the same arguments: it attaches to this request and runs at most once. ${linkTo(origin, 'approvals')}`;
}

/** Of the page that shows the accounts of one upstream: it opens no browser and signs nobody in. */
export function connectLink(origin: string, upstream: string): string {
  return linkTo(origin, 'connections', upstream);
}

function linkTo(origin: string, page: string, upstream: string | null = null): string {
  return page === 'connections' && upstream !== null ? `${origin}/open/${page}/${upstream}` : `${origin}/open/${page}`;
}

/** Where a sign-in would mend it: the words of the seeds, unless the failure says itself what is to be done, and the account. */
function failureText({ errorClass, message, upstream, account }: Failed, origin: string): string {
  if (upstream === null) return message;
  const notConnected = PHRASES.notConnected(upstream, connectLink(origin, upstream));
  if (errorClass === 'oauth_setup_failed') return `${message} ${notConnected}`;
  if (errorClass !== 'auth_required' && errorClass !== 'invalid_token') return message;
  const isSaid = errorClass === 'invalid_token' || message.startsWith('auth_required:');
  const said = isSaid ? message : notConnected;
  const named = account === undefined ? null : JSON.stringify(account);
  return named === null || said.includes(named) ? said : `${said} The call was for its account ${named}.`;
}

type Failed = Extract<CallEnding, { readonly kind: 'failed' }>;
