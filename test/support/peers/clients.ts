import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  ResultSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import type { Era } from '../../../shared/model.ts';
import type { Json } from './offer.ts';

/** A client of the official SDK in one era, at one endpoint; what it gets is kept as it came. */
export interface Peer extends AsyncDisposable {
  readonly era: Era;
  request(method: string, params?: Json, options?: RequestOptions): Promise<Json>;
  /** Notifications so far, in order. */
  readonly heard: readonly { readonly method: string; readonly params: Json }[];
  /** Questions so far, in order. */
  readonly asked: readonly { readonly method: string; readonly params: Json }[];
  capabilities(): Json;
  /** As it stands, whatever the client declared. */
  notify(method: string): Promise<void>;
  watch(uri: string): Promise<void>;
  /** Hears of changed lists from now on; a legacy client does without asking. */
  watchLists(): Promise<void>;
  setLevel(level: string): Promise<void>;
}

export interface RequestOptions {
  readonly signal?: AbortSignal;
  readonly onprogress?: (progress: Json) => void;
}

/** All that a client can be asked. */
export const ALL: Json = {
  elicitation: { form: {}, url: {} },
  sampling: { tools: {}, context: {} },
  roots: { listChanged: true },
};

export const ANSWERS: Readonly<Record<string, Json>> = {
  'elicitation/create': { action: 'accept', content: { name: 'Ada' } },
  'sampling/createMessage': {
    role: 'assistant',
    model: 'none',
    stopReason: 'toolUse',
    content: [{ type: 'tool_use', id: 't1', name: 'look', input: { at: 1 } }],
  },
  'roots/list': { roots: [{ uri: 'file:///somewhere', name: 'here' }] },
};

export function connectPeer(era: Era, url: string, key: string, capabilities: Json = ALL): Promise<Peer> {
  return era === 'legacy' ? legacy(url, key, capabilities) : modern(url, key, capabilities);
}

async function legacy(url: string, key: string, capabilities: Json): Promise<Peer> {
  const client = new LegacyClient({ name: 'legacy-peer', version: '1' }, { capabilities });
  const heard: { method: string; params: Json }[] = [];
  const asked: { method: string; params: Json }[] = [];
  const answering = ({ method, params = {} }: { method: string; params?: unknown }) => {
    asked.push({ method, params: params as Json });
    return ANSWERS[method] as never;
  };
  if (capabilities.elicitation !== undefined) client.setRequestHandler(ElicitRequestSchema, answering);
  if (capabilities.sampling !== undefined) client.setRequestHandler(CreateMessageRequestSchema, answering);
  if (capabilities.roots !== undefined) client.setRequestHandler(ListRootsRequestSchema, answering);
  client.fallbackNotificationHandler = async ({ method, params = {} }) => void heard.push({ method, params });
  const headers = { authorization: `Bearer ${key}` };
  await client.connect(new LegacyTransport(new URL(url), { requestInit: { headers } }) as never);
  return {
    era: 'legacy',
    heard,
    asked,
    capabilities: () => ({ ...client.getServerCapabilities() }),
    request: (method, params = {}, options = {}) =>
      client.request({ method, params: { ...params } } as never, ResultSchema, options as never),
    notify: async (method) => client.transport?.send({ jsonrpc: '2.0', method }),
    watch: async (uri) => void (await client.request({ method: 'resources/subscribe', params: { uri } }, ResultSchema)),
    watchLists: async () => {},
    setLevel: async (level) => void (await client.setLoggingLevel(level as never)),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

async function modern(url: string, key: string, capabilities: Json): Promise<Peer> {
  const client = new ModernClient(
    { name: 'modern-peer', version: '1' },
    { capabilities, versionNegotiation: { mode: { pin: '2026-07-28' } } },
  );
  const heard: { method: string; params: Json }[] = [];
  const asked: { method: string; params: Json }[] = [];
  const answering = (method: keyof typeof ANSWERS) => (request: { params?: unknown }) => {
    asked.push({ method, params: (request.params ?? {}) as Json });
    return ANSWERS[method] as never;
  };
  if (capabilities.elicitation !== undefined)
    client.setRequestHandler('elicitation/create', answering('elicitation/create'));
  if (capabilities.sampling !== undefined)
    client.setRequestHandler('sampling/createMessage', answering('sampling/createMessage'));
  if (capabilities.roots !== undefined) client.setRequestHandler('roots/list', answering('roots/list'));
  client.fallbackNotificationHandler = async ({ method, params = {} }) => void heard.push({ method, params });
  const headers = { authorization: `Bearer ${key}` };
  await client.connect(new ModernTransport(new URL(url), { requestInit: { headers } }));
  let level: string | null = null;
  return {
    era: 'modern',
    heard,
    asked,
    capabilities: () => ({ ...client.getServerCapabilities() }),
    request(method, params = {}, options = {}) {
      const meta = level === null ? {} : { 'io.modelcontextprotocol/logLevel': level };
      const _meta = { ...(params._meta as Json | undefined), ...meta };
      const whole = Object.keys(_meta).length === 0 ? params : { ...params, _meta };
      const named = typeof params.name === 'string' ? params.name : params.uri;
      const more = typeof named === 'string' ? { headers: { 'mcp-name': named } } : {};
      return client.request({ method, params: { ...whole } }, z.looseObject({}), { ...options, ...more } as never);
    },
    notify: async (method) => client.transport?.send({ jsonrpc: '2.0', method }),
    watch: async (uri) => void (await client.listen({ resourceSubscriptions: [uri] })),
    watchLists: async () => void (await client.listen({ toolsListChanged: true })),
    async setLevel(wanted) {
      level = wanted;
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
}
