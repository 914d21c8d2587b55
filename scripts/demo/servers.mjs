import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { environment, ROOT } from '../node24.mjs';

const EVERYTHING = join(ROOT, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js');
const FILESYSTEM = join(ROOT, 'node_modules/@modelcontextprotocol/server-filesystem/dist/index.js');

/** Real servers from npm: two that Gatehouse starts itself, and one that runs already and is reached over HTTP. */
export async function startServers(files) {
  const port = await freePort();
  const http = spawn(process.execPath, [EVERYTHING, 'streamableHttp'], {
    env: { ...environment(), PORT: String(port) },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await new Promise((resolve, reject) => {
    http.stderr.on('data', (chunk) => {
      if (String(chunk).includes('listening')) resolve();
    });
    http.once('exit', () => reject(new Error('server-everything did not start over HTTP')));
  });
  return {
    upstreams: [
      ['everything', ['--', process.execPath, EVERYTHING, 'stdio']],
      ['everything-http', ['--url', `http://127.0.0.1:${port}/mcp`]],
      ['files', ['--', process.execPath, FILESYSTEM, files]],
    ],
    async stop() {
      http.kill('SIGKILL');
      if (http.exitCode === null && http.signalCode === null) await once(http, 'exit');
    },
  };
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
