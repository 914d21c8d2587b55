import type { ToolCall } from '../call-tool.ts';
import type { UpstreamRequest } from '../upstreams/request.ts';
import type { Aim } from './aim.ts';

/** What goes upstream: the upstream's own name, and the text that was shown. */
export function requestOf(call: ToolCall, aim: Aim, argumentsText: string, besideText: string): UpstreamRequest {
  const { target } = call;
  const goes =
    target.kind === 'resource'
      ? ({
          method: 'resources/read',
          params: { uri: target.uri },
          argumentsText: null,
          moreText: besideText,
        } as const)
      : target.kind === 'completion'
        ? ({
            method: 'completion/complete',
            params: completionOf(aim),
            argumentsText: null,
            moreText: argumentsText,
          } as const)
        : ({
            method: target.kind === 'prompt' ? 'prompts/get' : 'tools/call',
            params: { name: aim.name },
            argumentsText,
            moreText: besideText,
          } as const);
  return {
    ...goes,
    requestId: call.requestId,
    upstreamId: aim.upstream.id,
    connectionId: aim.connection?.id ?? null,
    metaText: call.metaText,
    caller: {
      clientId: call.client.id,
      sessionKey: call.sessionId ?? call.client.id,
      era: call.era,
      capabilities: call.capabilities,
      logLevel: call.logLevel,
    },
    // Answers without a state belong to no call of ours; a modern upstream may know what they answer.
    round: call.inputResponses === null ? null : { inputResponses: call.inputResponses, requestState: undefined },
    signal: call.cancelled,
    onProgress: call.onProgress,
    onNotification: call.onNotification,
    ask: call.ask,
  };
}

/** An exposed prompt name becomes the upstream's own; all else goes as it came. */
function completionOf(aim: Aim): Readonly<Record<string, unknown>> {
  return aim.kind === 'prompt' ? { ref: { type: 'ref/prompt', name: aim.name } } : {};
}
