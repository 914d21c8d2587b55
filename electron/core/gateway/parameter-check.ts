import { z } from 'zod';
import { decode, type Mirrored, mirrored } from '../upstreams/parameter-headers.ts';

/** JSON-RPC code of a request whose headers do not agree with its body (MCP 2026-07-28, Streamable HTTP). */
const HEADER_MISMATCH = -32020;

/**
 * Holds the `Mcp-Param-*` headers of a `tools/call` against its arguments: whoever routes or filters by such a header must
 * be able to trust that the call is about the same. Null when they agree, or when the message is no such call; else the
 * answer, HTTP 400. An argument that is null or not there needs no header. `inputSchemaOf` is asked for the schema that the
 * caller was shown, null for a tool it cannot see.
 */
export function parameterMismatch(
  message: unknown,
  headers: Headers,
  inputSchemaOf: (tool: string) => unknown,
): Response | null {
  const call = callSchema.safeParse(message);
  if (!call.success) return null;
  const { id, params } = call.data;
  for (const argument of mirrored(inputSchemaOf(params.name), () => params.arguments)) {
    const problem = problemOf(argument, headers.get(argument.header));
    if (problem === null) continue;
    const error = { code: HEADER_MISMATCH, message: `Header mismatch: ${argument.header} ${problem}.` };
    return Response.json({ jsonrpc: '2.0', id, error }, { status: 400 });
  }
  return null;
}

function problemOf({ text, value }: Mirrored, header: string | null): string | null {
  if (header === null) return 'is missing, and the arguments have a value for it';
  const said = decode(header);
  if (said === null) return 'is not valid base64 of UTF-8 text';
  // Numbers agree by value: 42.0 is 42.
  const agrees = typeof value === 'number' ? DECIMAL.test(said) && Number(said) === value : said === text;
  return agrees ? null : 'does not agree with the arguments';
}

const DECIMAL = /^-?\d{1,16}(\.0*)?$/;

const callSchema = z.looseObject({
  id: z.union([z.string(), z.number()]),
  method: z.literal('tools/call'),
  params: z.looseObject({ name: z.string(), arguments: z.unknown().optional() }),
});
