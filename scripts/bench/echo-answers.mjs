/*
 * What both echo upstreams answer: as little work as an MCP server can have, so that what is measured is the way to it.
 * The 2025 revisions only; Gatehouse asks for the era once and remembers it.
 */

/**
 * @param tools how many to list; the first is `echo`, the second `slow`, which waits `ms` first.
 * @returns takes the text of one message; resolves with the text of the answer, null for what is no request.
 */
export function createAnswers(tools) {
  const list = JSON.stringify({ tools: definitions(tools) });
  return async (text) => {
    const { id, method, params } = JSON.parse(text);
    if (id === undefined || method === undefined) return null;
    switch (method) {
      case 'initialize':
        return answer(id, JSON.stringify(hello(params.protocolVersion)));
      case 'tools/list':
        return answer(id, list);
      case 'tools/call':
        if (params.name === 'slow') await new Promise((resolve) => setTimeout(resolve, params.arguments.ms));
        return answer(id, `{"content":[{"type":"text","text":${JSON.stringify(params.arguments.text)}}]}`);
      case 'ping':
        return answer(id, '{}');
      default:
        return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"error":{"code":-32601,"message":"Method not found"}}`;
    }
  };
}

function answer(id, result) {
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}`;
}

function hello(asked) {
  return {
    protocolVersion: REVISIONS.includes(asked) ? asked : REVISIONS[0],
    capabilities: { tools: {} },
    serverInfo: { name: 'echo', version: '1' },
  };
}

const REVISIONS = ['2025-11-25', '2025-06-18', '2025-03-26'];

/** Definitions of the size that real ones have, about 600 bytes each. */
function definitions(count) {
  const text = { type: 'string', description: 'Any text; it comes back as it is.' };
  const ms = { type: 'integer', minimum: 0, description: 'How long to wait, in milliseconds.' };
  const first = [
    tool('echo', 'Gives back the text.', { text }, ['text']),
    tool('slow', 'Gives back the text after a while.', { text, ms }, ['text', 'ms']),
  ];
  const rest = Array.from({ length: Math.max(0, count - first.length) }, (_, n) =>
    tool(
      `record_list_${n}`,
      `Lists records of collection ${n} page by page, newest first, filtered by state, owner and time of change.`,
      {
        collection: { type: 'string', description: 'The collection, by id or by its full path.' },
        state: { type: 'string', enum: ['open', 'closed', 'any'], description: 'Only records in this state.' },
        owner: { type: 'string', description: 'Only records of this person, by login name.' },
        limit: { type: 'integer', minimum: 1, maximum: 100, description: 'Records on one page.' },
      },
      ['collection'],
    ),
  );
  return [...first, ...rest];
}

function tool(name, description, properties, required) {
  return {
    name,
    description,
    inputSchema: { type: 'object', properties, required },
    annotations: { readOnlyHint: true },
  };
}
