import { z } from 'zod';
import type { ResourceTemplateDefinition } from '../../../shared/model.ts';
import type { CallTarget } from '../call/aim.ts';
import { type KnownConnections, ownChoice } from '../call/connection.ts';
import type { CallEnding, ToolCall } from '../call-tool.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { Resources } from '../catalog/resources.ts';
import type { Upstreams } from '../upstreams/upstreams.ts';
import { ARGUMENTS_PATH, type Arrival } from './arrival.ts';
import type { CallerSide } from './caller.ts';
import { listAnswer } from './pages.ts';
import { completionPassedOn, unknownMembers } from './passed-on.ts';
import { answerOf, type ToolAnswer } from './tool-result.ts';

/** Everything a client may ask beside tools: prompts, resources, completion. */
export interface RelayParts {
  readonly catalog: Pick<Catalog, 'listedPrompts' | 'listedPromptsOf' | 'listedTemplates' | 'listedTemplatesOf'>;
  readonly resources: Pick<Resources, 'list' | 'find'>;
  readonly upstreams: Pick<Upstreams, 'subscribe' | 'unsubscribe'>;
  readonly connections: KnownConnections;
  readonly callTool: (call: ToolCall) => Promise<CallEnding>;
  readonly origin: () => string;
}

const promptInput = z.looseObject({ name: z.string(), arguments: z.record(z.string(), z.unknown()).optional() });
const uriInput = z.looseObject({ uri: z.string().min(1).max(10_000) });
const completionInput = z.looseObject({
  ref: z.union([
    z.looseObject({ type: z.literal('ref/prompt'), name: z.string() }),
    z.looseObject({ type: z.literal('ref/resource'), uri: z.string() }),
  ]),
  argument: z.looseObject({ name: z.string(), value: z.string() }),
});

/** Answers a request that is about no tool; null: no such method here. `subscriber` is who hears of updates. */
export async function relay(
  parts: RelayParts,
  arrival: Arrival,
  method: string,
  params: Readonly<Record<string, unknown>>,
  side: CallerSide,
  subscriber: string,
): Promise<ToolAnswer | null> {
  const { client, onlyUpstream } = arrival;
  switch (method) {
    case 'prompts/list': {
      const prompts =
        onlyUpstream === null
          ? parts.catalog.listedPrompts(client)
          : parts.catalog.listedPromptsOf(client, onlyUpstream);
      return listAnswer(method, arrival, params, 'prompts', prompts, ({ name }) => name);
    }
    case 'resources/list': {
      const resources = parts.resources.list(client, onlyUpstream);
      return listAnswer(method, arrival, params, 'resources', resources, ({ uri }) => String(uri));
    }
    case 'resources/templates/list': {
      const templates =
        onlyUpstream === null
          ? parts.catalog.listedTemplates(client)
          : parts.catalog.listedTemplatesOf(client, onlyUpstream);
      return listAnswer(method, arrival, params, 'resourceTemplates', templates, templateKey);
    }
    case 'prompts/get': {
      const read = promptInput.safeParse(params);
      if (!read.success) return invalid(read.error);
      const { name } = read.data;
      return call(
        parts,
        arrival,
        side,
        { kind: 'prompt', upstream: onlyUpstream, name },
        arrival.slices.get(ARGUMENTS_PATH) ?? '{}',
        name,
      );
    }
    case 'resources/read': {
      const read = uriInput.safeParse(params);
      if (!read.success) return invalid(read.error);
      const { uri } = read.data;
      return call(
        parts,
        arrival,
        side,
        { kind: 'resource', upstream: onlyUpstream, uri },
        JSON.stringify({ uri }),
        uri,
      );
    }
    case 'completion/complete': {
      const read = completionInput.safeParse(params);
      if (!read.success) return invalid(read.error);
      const { ref } = read.data;
      const named = ref.type === 'ref/prompt' ? ref.name : ref.uri;
      const text = completionPassedOn(arrival.slices);
      return call(
        parts,
        arrival,
        side,
        { kind: 'completion', upstream: onlyUpstream, of: ref.type, named },
        text,
        named,
      );
    }
    case 'resources/subscribe':
    case 'resources/unsubscribe': {
      const read = uriInput.safeParse(params);
      if (!read.success) return invalid(read.error);
      const upstream = parts.resources.find(client, onlyUpstream, read.data.uri);
      if (upstream === null) return unknownResource(read.data.uri);
      const { uri } = read.data;
      const outcome =
        method === 'resources/subscribe'
          ? await parts.upstreams.subscribe(
              upstream.id,
              uri,
              subscriber,
              ownChoice(parts.connections, client, upstream.id),
            )
          : await parts.upstreams.unsubscribe(upstream.id, uri, subscriber);
      if (outcome.kind === 'answered') return { kind: 'result', result: {} };
      if (outcome.kind === 'error') return { ...outcome, relayed: true };
      return {
        kind: 'error',
        code: -32603,
        message: outcome.kind === 'failed' ? outcome.message : 'It was not subscribed to.',
      };
    }
    default:
      return null;
  }
}

/** The same path as a tool call: decided, approved where a rule asks, recorded, then relayed. */
async function call(
  parts: RelayParts,
  arrival: Arrival,
  side: CallerSide,
  target: CallTarget,
  argumentsText: string,
  named: string,
): Promise<ToolAnswer> {
  const ending = await parts.callTool({
    ...side,
    target,
    argumentsText,
    moreText: target.kind === 'completion' ? '{}' : unknownMembers(arrival.slices),
  });
  if (ending.kind === 'unknown_tool')
    return target.kind === 'resource'
      ? unknownResource(named)
      : { kind: 'error', code: -32602, message: `Unknown prompt: ${named}.` };
  const answer = answerOf(ending, {
    requestId: arrival.requestId,
    named,
    origin: parts.origin(),
  });
  // Only tools have results with isError; elsewhere a refusal is an error of the protocol, with the same text.
  if (answer.kind === 'error' || answer.result.isError !== true || ending.kind === 'answered') return answer;
  const { content, _meta } = answer.result as {
    content: readonly { text: string }[];
    _meta: Readonly<Record<string, unknown>>;
  };
  return {
    kind: 'error',
    code: Number(_meta['gatehouse/code']),
    message: content[0]?.text ?? 'It was refused.',
    data: _meta,
  };
}

/** Two upstreams may have the same template. */
function templateKey({ uriTemplate, _meta }: ResourceTemplateDefinition): string {
  const origin = (_meta as Readonly<Record<string, unknown>> | undefined)?.['gatehouse/upstream'];
  return `${String(origin)} ${uriTemplate}`;
}

function unknownResource(uri: string): ToolAnswer {
  return { kind: 'error', code: -32602, message: `Unknown resource: ${uri}`, data: { uri } };
}

function invalid(error: z.ZodError): ToolAnswer {
  const issue = error.issues[0];
  return {
    kind: 'error',
    code: -32602,
    message: `params.${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'does not fit'}.`,
  };
}
