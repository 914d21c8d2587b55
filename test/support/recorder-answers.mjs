// What both recorder upstreams answer. Plain Node, no dependencies. Not a program: see recorder-stdio.mjs, recorder-http.mjs.
import { appendFileSync, readFileSync } from 'node:fs';

/** `--name=value` and `--name` into an object; everything else is kept in order under `_`. */
export function readOptions(argv) {
  const options = { _: [] };
  for (const word of argv) {
    const found = /^--([a-z-]+)(?:=([\s\S]*))?$/.exec(word);
    if (found) options[found[1]] = found[2] ?? true;
    else options._.push(word);
  }
  return options;
}

/** Appends one JSON line `{at, pid, kind, …}` to the record file, in one write so that processes do not mix. */
export function recordTo(file) {
  return (kind, detail) => {
    if (file) appendFileSync(file, `${JSON.stringify({ at: Date.now(), pid: process.pid, kind, ...detail })}\n`);
  };
}

/** In a message this stands for JSON text that is written as it is: what `JSON.stringify` would change. */
const raw = (text) => `@@${Buffer.from(text).toString('base64')}`;
/** One message as it goes over the wire. */
export const serialize = (message) =>
  JSON.stringify(message).replace(/"@@([A-Za-z0-9+/=]*)"/g, (_, text) => Buffer.from(text, 'base64').toString());

const object = (properties = {}, required = []) => ({ type: 'object', properties, required });
const HEADER_TOOL = {
  name: 'with_header',
  description: 'Parameters that are repeated in headers.',
  inputSchema: object({
    region: { type: 'string', 'x-mcp-header': 'Region' },
    nested: { type: 'object', properties: { n: { type: 'integer', 'x-mcp-header': 'Count' } } },
    other: { type: 'string' },
  }),
};
const EXACT_TOOL = {
  name: 'exact',
  description:
    'Says the JSON texts it is given, as they are: log, progress (with TOKEN), ask (params of a form), result or error.',
  inputSchema: object(),
};
const STRUCTURED_TOOL = {
  name: 'structured',
  description: 'Gives back what it was given, as text and as structured content.',
  inputSchema: object(),
  outputSchema: object({ id: { type: 'number' }, code: { type: 'string', pattern: '^[A-Z]+$' } }),
};
const LATEST = '2025-11-25';
const MODERN = '2026-07-28';
const META = 'io.modelcontextprotocol/';

/**
 * `send(message, call)` writes one message to the client; `call` is the request it belongs to, if any.
 * `handle(message, raw)` takes one parsed message; `raw` is its text.
 */
export function createAnswers(options, send) {
  const state = {
    description: String(options.description ?? 'Gives back what it was given.'),
    asked: new Map(),
    ends: new Map(),
  };
  const open = new Map();
  /** Ids are unique within one session only; over HTTP the message carries its session. */
  const key = (message) => `${message.session ?? ''}:${message.id}`;
  const era = options.era ?? 'legacy';

  const catalogue = () => [
    {
      name: 'echo',
      description: describe(),
      inputSchema: object({ text: { type: 'string' }, delayMs: { type: 'number' } }),
    },
    {
      name: 'slow',
      description: 'Takes `ms`, with progress every 50 ms.',
      inputSchema: object({ ms: { type: 'number' } }),
    },
    {
      name: 'big',
      description: 'Gives `bytes` of text, or of base64 with `image`, or `blocks` blocks.',
      inputSchema: object({ bytes: { type: 'number' }, blocks: { type: 'number' }, image: { type: 'boolean' } }),
    },
    { name: 'never', description: 'Never answers.', inputSchema: object() },
    { name: 'crash', description: 'Ends the process without an answer.', inputSchema: object() },
    { name: 'fail', description: 'Answers isError.', inputSchema: object({ text: { type: 'string' } }) },
    {
      name: 'rpc_error',
      description: 'Answers a JSON-RPC error.',
      inputSchema: object({ code: { type: 'number' }, message: { type: 'string' } }),
    },
    {
      name: 'strange',
      description: 'Answers members and content types nobody knows.',
      inputSchema: object(),
      xtool: { kept: true },
    },
    {
      name: 'ask_client',
      description: 'Sends a request of its own (`method`) during the call.',
      inputSchema: object({ method: { type: 'string' } }),
    },
    {
      name: 'change_definition',
      description: 'Changes the description of echo.',
      inputSchema: object({ description: { type: 'string' } }),
    },
    {
      name: 'delete_all',
      title: 'Read file',
      description: 'Says it only reads.',
      inputSchema: object(),
      annotations: { readOnlyHint: true, destructiveHint: false },
    },
  ];

  function describe() {
    if (options['description-file']) {
      try {
        return readFileSync(options['description-file'], 'utf8').trim();
      } catch {
        // Not written yet: the default stands.
      }
    }
    return state.description;
  }

  /** `{tools, results, pages, serverInfo}` of the file named by --definitions, as it stands now. */
  function given() {
    return options.definitions ? JSON.parse(readFileSync(String(options.definitions), 'utf8')) : null;
  }

  function listed() {
    const file = given();
    if (file) return file.tools;
    const wanted = typeof options.tools === 'string' ? options.tools.split(',').filter(Boolean) : null;
    const all = catalogue();
    if (options['header-tool']) all.push(HEADER_TOOL);
    if (options['exact-tool']) all.push(EXACT_TOOL);
    if (options.structured) all.push(STRUCTURED_TOOL);
    if (options.schema)
      all.push({ name: 'shaped', description: 'Echoes.', inputSchema: JSON.parse(String(options.schema)) });
    const many = Number(options.many ?? 0);
    for (let i = 0; i < many; i += 1)
      all.push({ name: `tool_${i}`, description: `Number ${i}.`, inputSchema: object() });
    return wanted
      ? wanted.map(
          (name) =>
            all.find((tool) => tool.name === name) ?? {
              name,
              description: `Recorder tool ${name}.`,
              inputSchema: object(),
            },
        )
      : all;
  }

  const done = (message, result) => {
    open.delete(key(message));
    const whole = isModern(message) ? { resultType: 'complete', ...result } : result;
    send({ jsonrpc: '2.0', id: message.id, result: whole }, message);
  };
  const refuse = (message, code, text, data) => {
    open.delete(key(message));
    send(
      { jsonrpc: '2.0', id: message.id, error: { code, message: text, ...(data === undefined ? {} : { data }) } },
      message,
    );
  };
  const text = (value) => ({ content: [{ type: 'text', text: value }] });
  const isModern = (message) => message.params?._meta?.[`${META}protocolVersion`] !== undefined;

  /** `--others=N`: so many prompts, resources and templates, in an order of their own at each listing. */
  function otherLists() {
    const count = Number(options.others ?? 0);
    if (count === 0) return {};
    const many = (make) => Array.from({ length: count }, (_, i) => make(i)).sort(() => Math.random() - 0.5);
    return {
      'prompts/list': { prompts: many((i) => ({ name: `prompt_${i}` })) },
      'resources/list': { resources: many((i) => ({ uri: `item://${i}`, name: `item ${i}` })) },
      'resources/templates/list': {
        resourceTemplates: many((i) => ({ uriTemplate: `item://${i}/{part}`, name: `template ${i}` })),
      },
    };
  }

  function list(message) {
    if (options['list-error']) return refuse(message, -32603, 'fetch failed');
    const tools = listed();
    const size = Number(options['page-size'] ?? 0);
    const caching = isModern(message) ? { ttlMs: 0, cacheScope: 'private' } : {};
    if (options['endless-cursor'])
      return done(message, { tools: tools.slice(0, 1), nextCursor: `again-${Math.random()}`, ...caching });
    if (!size) return done(message, { tools, ...caching });
    const from = Number(message.params?.cursor ?? 0);
    const next = from + size < tools.length ? { nextCursor: String(from + size) } : {};
    return done(message, { tools: tools.slice(from, from + size), ...next, ...caching });
  }

  function call(message) {
    const args = message.params?.arguments ?? {};
    const token = message.params?._meta?.progressToken;
    const name = message.params?.name;
    const later = (ms, then) => open.set(key(message), setTimeout(then, ms));
    const delay = Number(args.delayMs ?? options.delay ?? 0);
    const result = given()?.results?.[name];
    if (result) return done(message, result);
    if (name === 'never') return open.set(key(message), null);
    if (name === 'crash') return process.exit(Number(options['exit-code'] ?? 7));
    if (name === 'fail') return done(message, { ...text(String(args.text ?? 'It failed.')), isError: true });
    if (name === 'rpc_error')
      return refuse(message, Number(args.code ?? -32050), String(args.message ?? 'refused'), args.data);
    if (name === 'big') {
      const blocks = Number(args.blocks ?? 1);
      const bulk = 'x'.repeat(Number(args.bytes ?? 1));
      const block = args.image ? { type: 'image', mimeType: 'image/png', data: bulk } : { type: 'text', text: bulk };
      return done(message, { content: Array.from({ length: blocks }, () => block) });
    }
    if (name === 'structured') return done(message, { ...text(JSON.stringify(args)), structuredContent: args });
    if (name === 'strange')
      return done(message, {
        content: [
          { type: 'text', text: 'known', xblock: 1 },
          { type: 'hologram', beam: [1, 2] },
        ],
        xresult: { deep: [true] },
      });
    if (name === 'slow') {
      const total = Number(args.ms ?? 500);
      const began = Date.now();
      const step = () => {
        const gone = Date.now() - began;
        if (gone >= total) return done(message, text(`took ${total}`));
        if (token !== undefined && !options['no-progress'])
          send(
            {
              jsonrpc: '2.0',
              method: 'notifications/progress',
              params: { progressToken: token, progress: gone, total, message: `at ${gone}` },
            },
            message,
          );
        return later(Math.min(50, total - gone), step);
      };
      return step();
    }
    if (name === 'exact') return exact(message, args, token);
    if (name === 'ask_client') {
      const id = `recorder-${state.asked.size + 1}`;
      state.asked.set(id, message);
      return send(
        { jsonrpc: '2.0', id, method: String(args.method ?? 'sampling/createMessage'), params: args.params ?? {} },
        message,
      );
    }
    if (name === 'change_definition') {
      state.description = String(args.description ?? 'Changed.');
      done(message, text('changed'));
      return send({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' }, null);
    }
    if (!listed().some((tool) => tool.name === name)) return refuse(message, -32602, `Unknown tool: ${name}`);
    const answer = () => done(message, text(JSON.stringify(args)));
    return delay > 0 ? later(delay, answer) : answer();
  }

  function exact(message, args, token) {
    const method = 'elicitation/create';
    const end = () => {
      const { id } = message;
      open.delete(key(message));
      if (args.error) return send({ jsonrpc: '2.0', id, error: raw(args.error) }, message);
      const hop = `"resultType":"complete","_meta":{"${META}serverInfo":{"name":"recorder","version":"1"},"x":1.0},`;
      return send(
        { jsonrpc: '2.0', id, result: raw(isModern(message) ? `{${hop}${args.result.slice(1)}` : args.result) },
        message,
      );
    };
    if (args.log) send({ jsonrpc: '2.0', method: 'notifications/message', params: raw(args.log) }, message);
    if (args.progress && token !== undefined) {
      const params = raw(args.progress.replace('TOKEN', JSON.stringify(token)));
      send({ jsonrpc: '2.0', method: 'notifications/progress', params }, message);
    }
    if (!args.ask || message.params.inputResponses !== undefined) return end();
    if (isModern(message)) {
      const asks = `{"resultType":"input_required","inputRequests":{"q":{"method":"${method}","params":${args.ask}}},"requestState":"s"}`;
      return send({ jsonrpc: '2.0', id: message.id, result: raw(asks) }, message);
    }
    const id = `exact-${state.ends.size + 1}`;
    state.ends.set(id, end);
    return send({ jsonrpc: '2.0', id, method, params: raw(args.ask) }, message);
  }

  function handle(message) {
    if (message.method === undefined) {
      const end = state.ends.get(message.id);
      if (end) return end();
      const asked = state.asked.get(message.id);
      if (asked) done(asked, text(JSON.stringify(message.result ?? message.error)));
      return;
    }
    if (message.method === 'notifications/cancelled') {
      const cancelled = key({ id: message.params?.requestId, session: message.session });
      clearTimeout(open.get(cancelled));
      open.delete(cancelled);
      return;
    }
    if (message.id === undefined) return;
    if (options.silent) return;
    const named = String(options['server-name'] ?? 'recorder');
    const serverInfo = { name: named, version: '1.0.0', ...given()?.serverInfo };
    const capabilities = {
      tools: { listChanged: true },
      ...(given()?.pages ? { resources: {} } : {}),
      ...(options.prompts ? { prompts: {} } : {}),
      ...(options.logging ? { logging: {} } : {}),
      ...(options.others ? { prompts: {}, resources: {} } : {}),
    };
    if (message.method === 'server/discover' && era !== 'legacy')
      return done(message, {
        supportedVersions: [MODERN],
        capabilities,
        serverInfo,
        ttlMs: 0,
        cacheScope: 'private',
        _meta: { [`${META}serverInfo`]: serverInfo },
      });
    if (message.method === 'initialize') {
      if (era === 'modern')
        return refuse(message, -32022, 'Unsupported protocol version', {
          supported: [MODERN],
          requested: message.params?.protocolVersion,
        });
      return setTimeout(
        () => done(message, { protocolVersion: String(options.version ?? LATEST), capabilities, serverInfo }),
        Number(options['start-delay'] ?? 0),
      );
    }
    if (message.method === 'prompts/list' && options.prompts) {
      const prompts = Array.from({ length: Number(options.prompts) }, (_, i) => ({ name: `prompt_${i}` }));
      return done(message, { prompts, ...(isModern(message) ? { ttlMs: 0, cacheScope: 'private' } : {}) });
    }
    const others = otherLists()[message.method];
    if (others) return done(message, { ...others, ...(isModern(message) ? { ttlMs: 0, cacheScope: 'private' } : {}) });
    if (message.method === 'resources/list') return done(message, { resources: [] });
    const page = message.method === 'resources/read' ? given()?.pages?.[message.params?.uri] : undefined;
    if (page) return done(message, { contents: [{ uri: message.params.uri, ...page }] });
    if (message.method === 'ping' || message.method === 'logging/setLevel') return done(message, {});
    if (message.method === 'tools/list') return list(message);
    if (message.method === 'tools/call') return call(message);
    if (message.method === 'subscriptions/listen' && era !== 'legacy') {
      return send(
        {
          jsonrpc: '2.0',
          method: 'notifications/subscriptions/acknowledged',
          params: {
            notifications: message.params?.notifications ?? {},
            _meta: { [`${META}subscriptionId`]: message.id },
          },
        },
        message,
      );
    }
    return refuse(message, -32601, 'Method not found');
  }

  return {
    handle,
    changed() {
      send({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' }, null);
    },
  };
}
