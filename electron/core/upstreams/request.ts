import type { ErrorClass } from '../../../shared/errors.ts';
import type { Era } from '../../../shared/model.ts';
import type { Written } from '../exact-text.ts';
import type { ErrorAnswer, Progress } from './exchange.ts';

/** Requests of clients that go on to an upstream. */
export type RelayedMethod = 'tools/call' | 'prompts/get' | 'resources/read' | 'completion/complete';

/** Who a request is made for: what an upstream may ask of them, and how they are told apart. */
export interface Caller {
  readonly clientId: string;
  /** One per session of a client, or per client where it speaks statelessly: links that keep state are apart by it. */
  readonly sessionKey: string;
  readonly era: Era;
  /** As the client declared them. The upstream is offered nothing else. */
  readonly capabilities: Readonly<Record<string, unknown>>;
  /** Level of `notifications/message` it asked for; null: it wants none. */
  readonly logLevel: string | null;
}

/** What a modern upstream asked for in the round before, answered (2026-07-28, multi round-trip requests). */
export interface Round {
  readonly inputResponses: Readonly<Record<string, Written>>;
  readonly requestState: string | undefined;
}

export type AskAnswer = { readonly kind: 'result'; readonly result: Written } | ErrorAnswer;

export interface UpstreamRequest {
  readonly requestId: string;
  readonly upstreamId: string;
  /** The account it goes out as; null: the default one, or none. */
  readonly connectionId: string | null;
  readonly method: RelayedMethod;
  /** What is ours to say in `params`: whose tool, prompt or resource it is. It comes before anything in `moreText`. */
  readonly params: Readonly<Record<string, unknown>>;
  /** Exact text of an object: the caller's other members of `params`. `{}` where there are none. */
  readonly moreText: string;
  /** The exact text to forward as `params.arguments`: these bytes, nothing else, reach the upstream. */
  readonly argumentsText: string | null;
  /** Exact text of an object: the caller's `_meta`. What belongs to the hop before goes no further. */
  readonly metaText: string;
  readonly caller: Caller;
  readonly round: Round | null;
  readonly signal: AbortSignal;
  /** Asked right before the first byte, however long it waited: why it must not go now; null: it may. */
  held?(): { readonly errorClass: 'paused' | 'connection_changed'; readonly message: string } | null;
  onProgress(progress: Progress): void;
  /** Other notifications that belong to this request: `notifications/message` and what we do not know. */
  onNotification(method: string, params: Written): void;
  /** The upstream asks the caller (elicitation, sampling, roots). Only what the caller declared gets here. */
  ask(method: string, params: Written): Promise<AskAnswer>;
}

/** The result of an upstream: what it says, and the text that goes to the caller, whose digest is recorded. */
export interface Answered {
  readonly kind: 'answered';
  /** Unknown members kept; without those of the hop that ends here. */
  readonly result: Readonly<Record<string, unknown>>;
  /** Reads as `result`, with its numbers and the order of its members. Whoever changes the one makes the other anew. */
  readonly resultText: string;
  /** UTF-8 length of `resultText`. */
  readonly bytes: number;
}

/** An upstream's own JSON-RPC error is relayed unchanged. */
export type UpstreamOutcome =
  | Answered
  | ErrorAnswer
  | {
      readonly kind: 'failed';
      readonly errorClass: Extract<
        ErrorClass,
        | 'paused'
        | 'connection_changed'
        | 'upstream_unreachable'
        | 'upstream_crashed'
        | 'upstream_timeout'
        | 'result_too_large'
        | 'secret_unavailable'
        | 'auth_required'
        | 'invalid_token'
        | 'upstream_busy'
        | 'list_too_large'
        | 'list_too_many_pages'
        | 'message_too_large'
        | 'call_too_long'
        | 'upstream_changed'
      >;
      /** One sentence that names the upstream and the limit or cause. */
      readonly message: string;
    }
  /** A modern upstream asks for input; `result` is its own. The request is to be made again with the answers. */
  | { readonly kind: 'input_required'; readonly result: Written }
  | { readonly kind: 'cancelled' };
