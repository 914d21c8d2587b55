import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { NODE, PACKAGES, rig, waitFor } from './rig.ts';

test("a server on the SDK's own modern stdio entry is called in its era", async () => {
  const it = rig();
  const script = join(it.folder, 'server.mjs');
  writeFileSync(
    script,
    `import { McpServer } from '${PACKAGES}@modelcontextprotocol/server/dist/index.mjs';
import { serveStdio } from '${PACKAGES}@modelcontextprotocol/server/dist/stdio.mjs';
import { z } from '${PACKAGES}zod/index.js';
serveStdio(() => {
  const server = new McpServer({ name: 'v2', version: '1.0.0' });
  server.registerTool('add', { description: 'Adds.', inputSchema: z.object({ a: z.number(), b: z.number() }) }, ({ a, b }) =>
    ({ content: [{ type: 'text', text: String(a + b) }] }));
  return server;
});`,
  );
  const view = await it.addReady('v2', { kind: 'stdio', command: NODE, args: [script], secretEnv: [], cwd: null });
  expect(view).toMatchObject({ era: 'modern', callsItself: 'v2', toolCount: 1 });
  expect(await it.call(view.id, 'add', '{"a":1,"b":2}')).toEqual({
    kind: 'answered',
    result: { content: [{ type: 'text', text: '3' }] },
    resultText: '{"content":[{"type":"text","text":"3"}]}',
    bytes: expect.any(Number),
  });
  // The next start takes the era from the verdict of this one.
  await it.upstreams.setEnabled(view.id, false);
  await it.upstreams.setEnabled(view.id, true);
  expect(await it.until(view.id, 'ready')).toMatchObject({ era: 'modern', toolCount: 1 });
});

test("a server on the SDK's own modern HTTP entry is called in its era, and its changes are listened for", async () => {
  const it = rig();
  let description = 'First.';
  const handler = createMcpHandler(() => {
    const server = new McpServer({ name: 'v2', version: '1.0.0' }, { capabilities: { tools: { listChanged: true } } });
    const inputSchema = z.object({ region: z.string().meta({ 'x-mcp-header': 'Region' }) });
    server.registerTool('where', { description, inputSchema }, ({ region }) => ({
      content: [{ type: 'text', text: region }],
    }));
    return server;
  });
  const http = createServer(toNodeHandler(handler)).listen(0, '127.0.0.1');
  onTestFinished(async () => {
    await handler.close();
    http.closeAllConnections();
    http.close();
  });
  await new Promise((resolve) => http.once('listening', resolve));
  const { port } = http.address() as AddressInfo;
  const view = await it.addReady('v2', { kind: 'http', url: `http://127.0.0.1:${port}/mcp`, secretHeaders: [] });
  expect(view).toMatchObject({ era: 'modern', callsItself: 'v2', toolCount: 1 });
  expect(await it.call(view.id, 'where', '{"region":"São Paulo"}')).toMatchObject({
    kind: 'answered',
    result: { content: [{ type: 'text', text: 'São Paulo' }] },
  });
  description = 'Second.';
  await waitFor(
    () => {
      handler.notify.toolsChanged();
      return JSON.stringify(it.inventory.taken.at(-1)?.tools).includes('Second.');
    },
    'the second listing',
    5_000,
  );
});
