import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { z } from 'zod';

/** A client at one endpoint of Gatehouse, in the era of the revision under test. */
export interface Driver {
  /** Members of what was answered are kept as they came. */
  request(
    method: string,
    params?: Record<string, unknown>,
    headers?: Record<string, string>,
  ): Promise<Record<string, unknown>>;
  listTools(): Promise<readonly { readonly name: string; readonly inputSchema: unknown }[]>;
  /** As an agent's client makes it: headers that repeat arguments included. */
  call(tool: string, args?: Record<string, unknown>): Promise<Called>;
  readonly offers: (capability: 'tools' | 'resources' | 'prompts') => boolean;
  close(): Promise<void>;
}

export interface Called {
  readonly text: string;
  readonly isError: boolean;
}

const ANYTHING = z.looseObject({});
const FORM = z.looseObject({ properties: z.record(z.string(), z.looseObject({ default: z.unknown().optional() })) });

/** It offers all that a client can offer: a form is accepted with its default values, and with yes where it has none. */
export async function connect(url: string, key: string, version: string): Promise<Driver> {
  const client = new Client(
    { name: 'conformance-driver', version: '1.0.0' },
    {
      capabilities: { elicitation: { form: { applyDefaults: true } }, sampling: {}, roots: { listChanged: true } },
      versionNegotiation: { mode: version === MODERN ? { pin: MODERN } : 'legacy' },
    },
  );
  client.setRequestHandler('elicitation/create', ({ params }) => {
    const form = FORM.safeParse('requestedSchema' in params ? params.requestedSchema : {});
    const properties = form.success ? Object.entries(form.data.properties) : [];
    const content = Object.fromEntries(properties.map(([name, property]) => [name, valueFor(property.default)]));
    return { action: 'accept', content };
  });
  client.setRequestHandler('sampling/createMessage', () => ({
    role: 'assistant',
    content: { type: 'text', text: 'An answer.' },
    model: 'none',
  }));
  client.setRequestHandler('roots/list', () => ({ roots: [{ uri: 'file:///somewhere' }] }));
  const headers = { authorization: `Bearer ${key}` };
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));

  return {
    request: (method, params = {}, more = {}) => client.request({ method, params }, ANYTHING, { headers: more }),
    listTools: async () => (await client.listTools()).tools,
    async call(name, args = {}) {
      const { content = [], isError } = await client.callTool({ name, arguments: args });
      return { text: content.map((part) => ('text' in part ? part.text : '')).join(' '), isError: isError === true };
    },
    offers: (capability) => client.getServerCapabilities()?.[capability] !== undefined,
    close: () => client.close(),
  };
}

function valueFor(given: unknown): string | number | boolean | string[] {
  const known = z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]).safeParse(given);
  return known.success ? known.data : true;
}

const MODERN = '2026-07-28';
