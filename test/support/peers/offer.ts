/**
 * What the servers of the cell tests offer and answer, the same in both eras and over both transports, so that a test can
 * compare what arrives through Gatehouse with what was sent. Members nobody knows stand beside the known ones on purpose.
 */

export type Json = Readonly<Record<string, unknown>>;

/** One request, as the server of either era hands it over. */
export interface Exchange {
  readonly method: string;
  readonly params: Json;
  /** What the client said that it can be asked. */
  readonly capabilities: Json;
  readonly cancelled: AbortSignal;
  notify(method: string, params: Json): Promise<void>;
  /** All at once; the era decides whether as requests or as an answer that asks for input (then it throws). */
  ask(questions: Readonly<Record<string, { readonly method: string; readonly params: Json }>>): Promise<Json>;
  /** To whoever subscribed. */
  updated(uri: string): Promise<void>;
}

export const CAPABILITIES = {
  tools: { listChanged: true },
  prompts: { listChanged: true },
  resources: { subscribe: true, listChanged: true },
  completions: {},
  logging: {},
};

const EMPTY = { type: 'object', properties: {} };
const META = { 'example.com/tag': { deep: [1, { two: true }] } };
const ICONS = [{ src: 'https://example.com/icon.png', mimeType: 'image/png', sizes: ['48x48'] }];
export const PAGE = 'ui://peer/page.html';
export const WATCHED = 'peer://watched';

export const TOOLS: readonly Json[] = [
  {
    name: 'show',
    title: 'Show',
    description: 'Shows everything a result can hold.',
    inputSchema: { type: 'object', properties: { x: {} }, additionalProperties: true },
    outputSchema: { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] },
    annotations: { title: 'Shown', readOnlyHint: true, idempotentHint: true },
    icons: ICONS,
    _meta: { ...META, ui: { resourceUri: PAGE } },
    unheardOf: { kept: true },
  },
  ...['received', 'ask', 'ask_twice', 'steps', 'hang', 'log', 'touch', 'was_cancelled', 'error'].map((name) => ({
    name,
    inputSchema: EMPTY,
  })),
];

export const PROMPTS: readonly Json[] = [
  {
    name: 'greet',
    title: 'Greet',
    description: 'Greets.',
    arguments: [{ name: 'who', required: true }],
    icons: ICONS,
    _meta: META,
    unheardOf: 1,
  },
];

export const RESOURCES: readonly Json[] = [
  { uri: WATCHED, name: 'watched', mimeType: 'text/plain', annotations: { priority: 0.5 }, icons: ICONS, _meta: META },
  { uri: 'peer://plain', name: 'plain', size: 5, unheardOf: [1] },
];

export const TEMPLATES: readonly Json[] = [
  { uriTemplate: 'peer://items/{id}', name: 'item', title: 'Item', icons: ICONS, _meta: META, unheardOf: 1 },
];

/** Every kind of content there is, one that is none yet, and members nobody knows. */
export const SHOWN: Json = {
  content: [
    { type: 'text', text: 'text', annotations: { audience: ['user'], priority: 1 }, _meta: META, unheardOf: 1 },
    { type: 'image', data: 'aGk=', mimeType: 'image/png' },
    { type: 'audio', data: 'aGk=', mimeType: 'audio/wav' },
    { type: 'resource_link', uri: 'peer://linked', name: 'linked', icons: ICONS },
    { type: 'resource', resource: { uri: 'peer://embedded', text: 'embedded', _meta: META } },
    { type: 'hologram', beam: [1, 2] },
  ],
  structuredContent: { n: 1.5, more: { deep: [true] } },
  _meta: META,
  unheardOf: { deep: [null] },
};

export const GREETED: Json = {
  description: 'A greeting.',
  messages: [
    { role: 'user', content: { type: 'text', text: 'Hello.', unheardOf: 1 } },
    { role: 'assistant', content: { type: 'resource_link', uri: 'peer://prompted', name: 'prompted' } },
  ],
  _meta: META,
  unheardOf: 1,
};

/** Answers what is no list; undefined: no such method. */
export async function answer(it: Exchange): Promise<Json | undefined> {
  const { params } = it;
  switch (it.method) {
    case 'tools/call':
      return call(it, String(params.name), (params.arguments ?? {}) as Json);
    case 'prompts/get':
      return GREETED;
    case 'resources/read':
      if (params.uri === 'peer://none') throw Object.assign(new Error('No such resource.'), { code: -32002 });
      return {
        contents: [{ uri: params.uri, mimeType: 'text/plain', text: `of ${params.uri}`, _meta: META, unheardOf: 1 }],
      };
    case 'completion/complete':
      return { completion: { values: [JSON.stringify(params)], total: 1, hasMore: false } };
    default:
      return undefined;
  }
}

let cancellations = 0;

async function call(it: Exchange, name: string, args: Json): Promise<Json> {
  const { _meta, ...params } = it.params;
  switch (name) {
    case 'show':
      return SHOWN;
    case 'received':
      return text({ params, meta: withoutHop((_meta ?? {}) as Json), capabilities: it.capabilities });
    case 'error':
      throw Object.assign(new Error('Its own words.'), { code: -32050, data: { kept: [1] } });
    case 'ask':
      return text(await it.ask(args.questions as Parameters<Exchange['ask']>[0]));
    case 'ask_twice': {
      const first = await it.ask({ one: args.question as never });
      const second = await it.ask({ two: args.question as never });
      return text({ ...first, ...second });
    }
    case 'steps': {
      const progressToken = ((_meta ?? {}) as Json).progressToken as string | number;
      for (const progress of [1, 2, 3])
        await it.notify('notifications/progress', { progressToken, progress, total: 3, message: `step ${progress}` });
      return text(progressToken === undefined ? 'unasked' : 'done');
    }
    case 'hang':
      await new Promise<void>((resolve) => {
        if (it.cancelled.aborted) resolve();
        it.cancelled.addEventListener('abort', () => resolve(), { once: true });
      });
      cancellations += 1;
      return text('cancelled');
    case 'was_cancelled':
      return text(cancellations);
    case 'log':
      for (const level of ['debug', 'info', 'warning', 'error'])
        await it.notify('notifications/message', { level, logger: 'peer', data: { level }, unheardOf: 1 });
      return text('logged');
    case 'touch':
      await it.updated(String(args.uri ?? WATCHED));
      return text('touched');
    default:
      throw Object.assign(new Error(`Unknown tool: ${name}`), { code: -32602 });
  }
}

function text(value: unknown): Json {
  return { content: [{ type: 'text', text: JSON.stringify(value) }] };
}

/** What each hop says for itself. */
function withoutHop(meta: Json): Json {
  return Object.fromEntries(
    Object.entries(meta).filter(([key]) => key !== 'progressToken' && !key.startsWith('io.modelcontextprotocol/')),
  );
}

/** Every list of it, for a server whose lists are on one page each. */
export function listed(method: string): Json | undefined {
  switch (method) {
    case 'tools/list':
      return { tools: TOOLS };
    case 'prompts/list':
      return { prompts: PROMPTS };
    case 'resources/list':
      return { resources: RESOURCES };
    case 'resources/templates/list':
      return { resourceTemplates: TEMPLATES };
    default:
      return undefined;
  }
}
