import type { Answer, TestGatehouse } from './gatehouse.ts';

/** A session of 2025-11-25 spoken by hand, so that ids and the text of arguments are the test's own. */
export interface LegacySession {
  readonly id: string;
  /** One `tools/call`; `argumentsText` is sent as it stands. */
  call(tool: string, argumentsText?: string, messageId?: number, signal?: AbortSignal): Promise<Answer>;
}

export async function openLegacySession(
  { post }: Pick<TestGatehouse, 'post'>,
  key: string,
  name = 'old-agent',
): Promise<LegacySession> {
  const opened = await post(key, {
    jsonrpc: '2.0',
    id: 0,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name, version: '1' } },
  });
  const id = opened.headers.get('mcp-session-id') ?? '';
  const headers = { 'mcp-session-id': id, 'mcp-protocol-version': '2025-11-25' };
  await post(key, { jsonrpc: '2.0', method: 'notifications/initialized' }, { headers });
  let last = 0;
  return {
    id,
    call(tool, argumentsText = '{}', messageId = ++last, signal) {
      const params = `{"name":${JSON.stringify(tool)},"arguments":${argumentsText}}`;
      return post(key, `{"jsonrpc":"2.0","id":${messageId},"method":"tools/call","params":${params}}`, {
        headers,
        ...(signal === undefined ? {} : { signal }),
      });
    },
  };
}
