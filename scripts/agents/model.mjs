import { createServer } from 'node:http';

/**
 * A stand-in for the model APIs, on loopback: Anthropic Messages, OpenAI Responses, Chat Completions and Gemini, streamed.
 * It has no mind: `plan` is a list of `{ tool, input }`; each turn it asks for the next one, and after the last it says
 * what `finish(results)` makes of the texts that the agent brought back. Requests that offer no tool of the plan (titles,
 * routing) are answered with one word.
 */
export async function startModel(plan, finish) {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    const dialect = DIALECTS.find(({ path }) => path.test(pathname));
    if (request.method !== 'POST' || !dialect) return void response.writeHead(404).end('{}');
    const body = JSON.parse(await textOf(request));
    const turn = turnOf(dialect.offered(body), dialect.results(body), pathname);
    const plain = dialect.whole && !(dialect.streams?.(pathname) ?? body.stream);
    if (plain) {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(dialect.whole(turn, body)));
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const event of dialect.events(turn, body)) {
      const name = dialect.named ? `event: ${event.type}\n` : '';
      response.write(`${name}data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`);
    }
    response.end();
  });

  /** The next call of the plan by the name under which the agent offers it, or a text. */
  function turnOf(offered, results) {
    const tool = (wanted) => offered.find(({ name }) => name.endsWith(wanted));
    if (!tool(plan[0].tool)) return { text: 'ok' };
    const next = plan[results.length];
    if (next === undefined) return { text: finish(results) };
    const { name, namespace } = tool(next.tool);
    return { call: { id: `call_${results.length + 1}`, name, namespace, input: next.input } };
  }

  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  return { url: `http://127.0.0.1:${server.address().port}`, stop: () => server.close().closeAllConnections() };
}

const MESSAGES = {
  path: /\/v1\/messages$/,
  named: true,
  offered: ({ tools = [] }) => tools,
  results: ({ messages }) =>
    messages
      .flatMap(({ content }) => (Array.isArray(content) ? content : []))
      .filter(({ type }) => type === 'tool_result')
      .map(({ content }) => words(content)),
  whole: (turn, { model }) => ({
    ...message(model),
    content: [turn.call ? { ...toolUse(turn.call), input: turn.call.input } : { type: 'text', text: turn.text }],
    stop_reason: turn.call ? 'tool_use' : 'end_turn',
  }),
  *events({ call, text }, { model }) {
    yield { type: 'message_start', message: message(model) };
    yield { type: 'content_block_start', index: 0, content_block: call ? toolUse(call) : { type: 'text', text: '' } };
    const delta = call
      ? { type: 'input_json_delta', partial_json: JSON.stringify(call.input) }
      : { type: 'text_delta', text };
    yield { type: 'content_block_delta', index: 0, delta };
    yield { type: 'content_block_stop', index: 0 };
    const stop = { stop_reason: call ? 'tool_use' : 'end_turn', stop_sequence: null };
    yield { type: 'message_delta', delta: stop, usage: { output_tokens: 1 } };
    yield { type: 'message_stop' };
  },
};

const RESPONSES = {
  path: /\/responses$/,
  named: true,
  // Tools of one MCP server may stand together under a name of their own.
  offered: ({ tools = [] }) =>
    tools.flatMap((tool) =>
      tool.type === 'namespace'
        ? tool.tools.map(({ name }) => ({ name, namespace: tool.name }))
        : tool.name
          ? tool
          : [],
    ),
  results: ({ input }) =>
    input.filter(({ type }) => type === 'function_call_output').map(({ output }) => words(output)),
  *events({ call, text }) {
    const item = call
      ? {
          type: 'function_call',
          id: `fc_${call.id}`,
          call_id: call.id,
          name: call.name,
          ...(call.namespace ? { namespace: call.namespace } : {}),
          arguments: JSON.stringify(call.input),
        }
      : { type: 'message', id: 'msg_1', role: 'assistant', content: [{ type: 'output_text', text, annotations: [] }] };
    const usage = { input_tokens: 1, output_tokens: 1, total_tokens: 2 };
    yield { type: 'response.created', response: { id: 'resp_1' } };
    yield { type: 'response.output_item.done', output_index: 0, item };
    yield { type: 'response.completed', response: { id: 'resp_1', output: [item], usage } };
  },
};

const COMPLETIONS = {
  path: /\/chat\/completions$/,
  offered: ({ tools = [] }) => tools.map((tool) => tool.function),
  results: ({ messages }) => messages.filter(({ role }) => role === 'tool').map(({ content }) => words(content)),
  *events({ call, text }, { model }) {
    const chunk = (delta, reason = null) => ({
      id: 'chat_1',
      object: 'chat.completion.chunk',
      created: 1,
      model,
      choices: [{ index: 0, delta, finish_reason: reason }],
    });
    const asked = call && { name: call.name, arguments: JSON.stringify(call.input) };
    const delta = call
      ? { tool_calls: [{ index: 0, id: call.id, type: 'function', function: asked }] }
      : { content: text };
    yield chunk({ role: 'assistant', ...delta });
    yield chunk({}, call ? 'tool_calls' : 'stop');
    yield '[DONE]';
  },
};

const GEMINI = {
  path: /:(streamGenerateContent|generateContent)$/,
  streams: (pathname) => pathname.endsWith(':streamGenerateContent'),
  offered: ({ tools = [] }) => tools.flatMap(({ functionDeclarations = [] }) => functionDeclarations),
  results: ({ contents }) =>
    contents
      .flatMap(({ parts = [] }) => parts)
      .filter((part) => part.functionResponse)
      .map((part) => words(part.functionResponse.response)),
  whole: ({ call, text }) => ({
    candidates: [
      {
        index: 0,
        content: { role: 'model', parts: [call ? { functionCall: { name: call.name, args: call.input } } : { text }] },
        finishReason: 'STOP',
      },
    ],
    usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 },
  }),
  *events(turn) {
    yield GEMINI.whole(turn);
  },
};

const DIALECTS = [MESSAGES, RESPONSES, COMPLETIONS, GEMINI];

const message = (model) => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model,
  content: [],
  stop_reason: null,
  stop_sequence: null,
  usage: { input_tokens: 1, output_tokens: 1 },
});

const toolUse = ({ id, name }) => ({ type: 'tool_use', id, name, input: {} });

/** The text of a tool's result, however the agent wraps it. */
function words(content) {
  if (typeof content === 'string') return content;
  if (Array.isArray(content)) return content.map((part) => part.text ?? JSON.stringify(part)).join('\n');
  return typeof content?.output === 'string' ? content.output : JSON.stringify(content);
}

async function textOf(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
