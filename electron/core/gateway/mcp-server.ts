import { randomBytes } from 'node:crypto';
import {
  type JSONRPCRequest,
  ProtocolError,
  type Result,
  Server,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { ERRORS } from '../../../shared/errors.ts';
import type { Client, Decision, Era, UpstreamView } from '../../../shared/model.ts';
import type { CallTarget, Found } from '../call/aim.ts';
import type { CallEnding, ToolCall } from '../call-tool.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { Exposure } from '../catalog/exposure.ts';
import type { Tool } from '../catalog/inventory.ts';
import { faultFields } from '../diagnosis/fault.ts';
import type { Log } from '../diagnosis/log.ts';
import type { Upstreams } from '../upstreams/upstreams.ts';
import { ARGUMENTS_PATH, type Arrival, arrivalOf, INNER_ARGUMENTS_PATH } from './arrival.ts';
import { type CallerSide, callerSide } from './caller.ts';
import { relayedResult, sealAnswers } from './exact-answers.ts';
import { answerMetaTool, callExternalInput, META_TOOL_NAMES, type MetaToolParts, metaToolsFor } from './meta-tools.ts';
import { listAnswer } from './pages.ts';
import { unknownMembers } from './passed-on.ts';
import { type RelayParts, relay } from './relay.ts';
import { requestIdData } from './responses.ts';
import { answerOf, errorOf, refusal, type ToolAnswer, type ToolResult } from './tool-result.ts';

export interface McpServerParts extends MetaToolParts, RelayParts {
  readonly version: string;
  readonly catalog: MetaToolParts['catalog'] &
    RelayParts['catalog'] &
    Pick<Catalog, 'listed' | 'listedOf' | 'upstream' | 'upstreams'>;
  readonly upstreams: Pick<
    Upstreams,
    'subscribe' | 'unsubscribe' | 'resubscribe' | 'rootsChanged' | 'forgetSession' | 'capabilities'
  >;
  /** Whether no call could ever be allowed; to be asked about each entry of one list. */
  readonly neverAllowed: (client: Client) => (found: Found) => boolean;
  readonly exposure: Pick<Exposure, 'listed' | 'found'>;
  readonly foresee: (client: Client, found: Found) => Decision;
  readonly callTool: (call: ToolCall) => Promise<CallEnding>;
  /** What a program says it is, for the card: "calls itself …". */
  readonly callsItself: (client: Client, name: string) => Client;
  readonly log: Log;
  /** `http://127.0.0.1:<port>`, for links in answers. */
  readonly origin: () => string;
}

const CLIENT_INFO = 'io.modelcontextprotocol/clientInfo';

/**
 * The MCP server one client talks to: for a session while it lasts, or for one stateless request. It translates only;
 * what a call may do is decided in `core/call-tool.ts`. Everything passes by the fallback handler, because the SDK's typed
 * handlers refuse content types they do not know and an upstream's result is not ours to judge.
 */
export function createMcpServer(parts: McpServerParts, era: Era, opened: Arrival): Server {
  const capabilities = capabilitiesOf(parts, opened);
  const server = new Server(
    { name: 'gatehouse', title: 'Gatehouse', version: parts.version },
    { capabilities: { ...capabilities }, instructions: INSTRUCTIONS },
  );
  /** What the session asked for by `logging/setLevel`. */
  let level: string | undefined;
  if (capabilities.logging !== undefined) {
    server.setRequestHandler('logging/setLevel', ({ params }) => {
      level = params.level;
      return {};
    });
  }
  async function answer(request: JSONRPCRequest, context: ServerContext, arrived: Arrival): Promise<Result> {
    const arrival = introduced(parts, arrived, context);
    const params: Readonly<Record<string, unknown>> = request.params ?? {};
    const side = callerSide(server, era, arrival, context, { log: parts.log, level });
    const answered =
      request.method === 'tools/call'
        ? await toolCall(parts, arrival, params, side)
        : request.method === 'tools/list'
          ? listTools(parts, arrival, params)
          : await relay(parts, arrival, request.method, params, side, context.sessionId ?? arrival.client.id);
    if (answered === null) throw new ProtocolError(-32601, 'Method not found', requestIdData(arrival.requestId));
    if (answered.kind === 'error') throw errorOf(answered, arrival.requestId, era);
    return answered.text === undefined ? { ...answered.result } : relayedResult(era, answered.result, answered.text);
  }
  sealAnswers(server);
  server.fallbackRequestHandler = async (request, context) => {
    const arrival = arrivalOf(context.http?.authInfo);
    try {
      return await answer(request, context, arrival);
    } catch (error) {
      if (error instanceof ProtocolError) throw error;
      // The SDK would send the text of a bug to the caller, and nothing would lead from there to the log.
      const { requestId } = arrival;
      parts.log.error('request_failed', { requestId, ...faultFields(error) });
      const message = `internal: ${ERRORS.internal.what} ${ERRORS.internal.fix} request ${requestId}`;
      throw new ProtocolError(-32603, message, requestIdData(requestId));
    }
  };
  return server;
}

const INSTRUCTIONS =
  'Gatehouse reaches every tool the person has connected. Search with find_tools, call with call_external_tool. A call may wait for the person: on approval_pending, call again with the same arguments.';

/** One upstream alone offers what it has; all together whatever any of them may have. */
export function capabilitiesOf(
  parts: McpServerParts,
  { client, onlyUpstream }: Arrival,
): Readonly<Record<string, object>> {
  const one = onlyUpstream === null ? null : parts.catalog.upstream(client, onlyUpstream);
  const has =
    one === null
      ? () => onlyUpstream === null
      : (name: string) => parts.upstreams.capabilities(one.id)[name] !== undefined;
  return {
    tools: { listChanged: true },
    ...(has('prompts') ? { prompts: { listChanged: true } } : {}),
    ...(has('resources') ? { resources: { listChanged: true, subscribe: true } } : {}),
    ...(has('completions') ? { completions: {} } : {}),
    ...(has('logging') ? { logging: {} } : {}),
  };
}

function introduced(parts: McpServerParts, arrival: Arrival, context: ServerContext): Arrival {
  const envelope: Readonly<Record<string, unknown>> = context.mcpReq.envelope ?? {};
  const info = envelope[CLIENT_INFO];
  if (typeof info !== 'object' || info === null || !('name' in info) || typeof info.name !== 'string') return arrival;
  return { ...arrival, client: parts.callsItself(arrival.client, info.name) };
}

function listTools(parts: McpServerParts, arrival: Arrival, params: Readonly<Record<string, unknown>>): ToolAnswer {
  const { client, onlyUpstream } = arrival;
  const isDenied = parts.neverAllowed(client);
  const neverAllowed = (tool: Tool, upstream: UpstreamView) => isDenied({ tool, upstream });
  const listed =
    onlyUpstream !== null
      ? parts.catalog.listedOf(client, onlyUpstream, neverAllowed)
      : parts.catalog.listed(client, parts.pins.get(client.id), neverAllowed).map(({ definition }) => definition);
  const choice = parts.catalog.upstreams(client).some(({ id }) => parts.connections.list(id).length > 1);
  const head = onlyUpstream === null ? metaToolsFor({ choice }) : [];
  const answer = listAnswer('tools/list', arrival, params, 'tools', listed, ({ name }) => name, head);
  if (onlyUpstream === null && answer.kind === 'result' && Array.isArray(answer.result.tools))
    parts.exposure.listed(client, answer.result.tools, (params.cursor ?? '') === '');
  return answer;
}

async function toolCall(
  parts: McpServerParts,
  arrival: Arrival,
  params: Readonly<Record<string, unknown>>,
  side: CallerSide,
): Promise<ToolAnswer> {
  const { name } = params;
  if (typeof name !== 'string') return { kind: 'error', code: -32602, message: 'params.name must be a string.' };
  const named = targetOf(arrival, name, params.arguments);
  if (named.kind === 'answer') return named.answer;
  if (named.kind === 'meta') {
    const answer = answerMetaTool(parts, arrival.client, name, params.arguments);
    if (answer.kind === 'result') {
      if (name === 'find_tools') parts.exposure.found(arrival.client, textBytes(answer.result));
      return answer;
    }
    return { kind: 'result', result: invalidArguments(parts, arrival, answer.message) };
  }

  const { target, argumentsText } = named;
  const ending = await parts.callTool({ ...side, target, argumentsText, moreText: unknownMembers(arrival.slices) });
  return answerOf(ending, {
    requestId: arrival.requestId,
    named: name === 'call_external_tool' && target.kind === 'own' ? `${target.upstream} / ${target.name}` : name,
    origin: parts.origin(),
  });
}

type Named =
  | { readonly kind: 'call'; readonly target: CallTarget; readonly argumentsText: string }
  | { readonly kind: 'meta' }
  | { readonly kind: 'answer'; readonly answer: ToolAnswer };

/** Which tool is meant, and the exact text of its arguments: absent arguments are the empty object. */
function targetOf(arrival: Arrival, name: string, input: unknown): Named {
  const { onlyUpstream, slices } = arrival;
  if (onlyUpstream !== null) {
    return {
      kind: 'call',
      target: { kind: 'own', upstream: onlyUpstream, name },
      argumentsText: slices.get(ARGUMENTS_PATH) ?? '{}',
    };
  }
  if (name === 'call_external_tool') {
    const parsed = callExternalInput.safeParse(input ?? {});
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      return {
        kind: 'answer',
        answer: {
          kind: 'error',
          code: -32602,
          message: `call_external_tool: field "${issue?.path.join('.') ?? ''}": ${issue?.message ?? 'does not fit'}.`,
        },
      };
    }
    const { upstream, tool, connection } = parsed.data;
    return {
      kind: 'call',
      target: { kind: 'own', upstream, name: tool, ...(connection === undefined ? {} : { connection }) },
      argumentsText: slices.get(INNER_ARGUMENTS_PATH) ?? '{}',
    };
  }
  if (META_TOOL_NAMES.has(name)) return { kind: 'meta' };
  return { kind: 'call', target: { kind: 'exposed', name }, argumentsText: slices.get(ARGUMENTS_PATH) ?? '{}' };
}

function invalidArguments(parts: McpServerParts, arrival: Arrival, message: string): ToolResult {
  return refusal('invalid_arguments', message, { requestId: arrival.requestId, origin: parts.origin(), rule: null });
}

/** 128 random bits: ids are never guessed and carry no order. */
export function newRequestId(): string {
  return randomBytes(16).toString('base64url');
}

/** A model is given the text of a result or its structure, and both say the same. */
function textBytes({ content }: { readonly content?: unknown }): number {
  const [first] = Array.isArray(content) ? (content as readonly { readonly text?: unknown }[]) : [];
  return typeof first?.text === 'string' ? Buffer.byteLength(first.text) : 0;
}
