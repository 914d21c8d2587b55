import { SdkError, SdkErrorCode } from '@modelcontextprotocol/client';
import { expect, test } from 'vitest';
import { faultOf } from '../../../electron/core/upstreams/faults.ts';

test('a server that is slow to say which era it speaks is said to be slow, not to speak something else', () => {
  const slow = new SdkError(SdkErrorCode.RequestTimeout, 'Version negotiation probe timed out after 5000ms');
  expect(faultOf(slow, 'https://example.com/mcp')).toMatchObject({
    errorClass: 'upstream_timeout',
    words: 'did not answer in time',
  });
  expect(faultOf(new Error('unexpected token'), 'https://example.com/mcp').words).toBe(
    'answered with something that is not MCP',
  );
});
