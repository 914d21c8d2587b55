import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { UpstreamOutcome } from '../../../electron/core/upstreams/request.ts';
import { NODE, PACKAGES, rig } from './rig.ts';

const EVERYTHING = `${PACKAGES}@modelcontextprotocol/server-everything/dist/index.js`;
const FILESYSTEM = `${PACKAGES}@modelcontextprotocol/server-filesystem/dist/index.js`;

const texts = (outcome: UpstreamOutcome) =>
  outcome.kind === 'answered' ? (outcome.result.content as { text?: string }[]).map((block) => block.text) : outcome;

test('server-everything over stdio lists its tools, echoes, and its progress reaches the caller', async () => {
  const it = rig();
  const transport = { kind: 'stdio', command: NODE, args: [EVERYTHING, 'stdio'], secretEnv: [], cwd: null } as const;
  const view = await it.addReady('everything', transport);
  expect(view).toMatchObject({ era: 'legacy', status: 'ready', reason: null });
  expect(view.callsItself).toContain('everything');
  expect(view.toolCount).toBeGreaterThanOrEqual(10);
  expect(texts(await it.call(view.id, 'echo', '{"message":"hello"}'))).toEqual(['Echo: hello']);
  const progress: number[] = [];
  const long = await it.call(view.id, 'trigger-long-running-operation', '{"duration":0.3,"steps":3}', {
    onProgress: (step) => progress.push(step.progress),
  });
  expect(long.kind).toBe('answered');
  expect(progress).toEqual([1, 2, 3]);
});

test('server-everything over Streamable HTTP lists its tools and echoes', async () => {
  const port = await freePort();
  const child = spawn(NODE, [EVERYTHING, 'streamableHttp'], {
    env: { ...process.env, PORT: String(port) },
    stdio: 'pipe',
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await new Promise<void>((resolve) => {
    child.stderr.on('data', (chunk) => String(chunk).includes('listening') && resolve());
    child.stdout.on('data', (chunk) => String(chunk).includes('listening') && resolve());
  });
  const it = rig();
  const view = await it.addReady('everything', {
    kind: 'http',
    url: `http://127.0.0.1:${port}/mcp`,
    secretHeaders: [],
  });
  expect(view).toMatchObject({ era: 'legacy', pid: null });
  expect(texts(await it.call(view.id, 'echo', '{"message":"über HTTP"}'))).toEqual(['Echo: über HTTP']);
});

test('server-filesystem reads a real file', async () => {
  const it = rig();
  const folder = join(it.folder, 'files');
  mkdirSync(folder);
  writeFileSync(join(folder, 'note.txt'), 'what is in it');
  const transport = { kind: 'stdio', command: NODE, args: [FILESYSTEM, folder], secretEnv: [], cwd: null } as const;
  const view = await it.addReady('files', transport);
  const outcome = await it.call(view.id, 'read_text_file', JSON.stringify({ path: join(folder, 'note.txt') }));
  expect(texts(outcome)).toEqual(['what is in it']);
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
