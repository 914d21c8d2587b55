import { mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { silentLog } from '../../electron/core/diagnosis/log.ts';
import { type Clock, systemClock } from '../../electron/core/platform.ts';
import { startDashboard } from '../../electron/dashboard/server.ts';
import type { RequestInput, RequestName } from '../../shared/api.ts';
import type { TestGatehouse } from './gatehouse.ts';

/** The real dashboard over a test's core, with a page of one line in the place of the renderer. */
export interface TestDashboard {
  readonly port: number;
  signIn(): Promise<Tab>;
  /** Any request, headers as they stand. */
  send(method: string, path: string, headers?: Readonly<Record<string, string>>, body?: string): Promise<HttpAnswer>;
  close(): Promise<void>;
}

/** One signed-in tab. Without `openStream` its person counts as nobody. */
export interface Tab {
  readonly cookie: string;
  readonly authorization: string;
  post<N extends RequestName>(name: N, input?: RequestInput<N>): Promise<HttpAnswer>;
  /** Opens the live stream; the returned function closes the tab. */
  openStream(): Promise<() => void>;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** Of an answered request. */
  readonly result: unknown;
}

export async function openDashboard(
  gatehouse: Pick<TestGatehouse, 'core' | 'folder'>,
  clock: Clock = systemClock,
): Promise<TestDashboard> {
  const rendererFolder = join(gatehouse.folder, 'pages');
  mkdirSync(join(rendererFolder, 'assets'), { recursive: true });
  writeFileSync(join(rendererFolder, 'index.html'), '<title>Gatehouse</title>');
  const dashboard = await startDashboard({
    core: gatehouse.core,
    rendererFolder,
    clock,
    log: silentLog,
    record: gatehouse.core.record,
  });
  gatehouse.core.setDashboard(dashboard);
  const port = Number(new URL(dashboard.url).port);
  const json = { 'content-type': 'application/json' };

  function send(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>> = {},
    body = '',
  ): Promise<HttpAnswer> {
    // Node frames the body of a DELETE only when told to.
    const framed = body === '' ? headers : { ...headers, 'content-length': String(Buffer.byteLength(body)) };
    return new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port, method, path, headers: framed, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          const isJson = String(response.headers['content-type']).startsWith('application/json');
          const parsed = isJson && text !== '' ? (JSON.parse(text) as { result?: unknown }) : {};
          const { statusCode = 0, headers: received } = response;
          resolve({ status: statusCode, headers: received, body: text, result: parsed.result ?? null });
        });
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }

  return {
    port,
    send,
    async signIn() {
      const token = new URL(dashboard.link()).hash.slice('#sign-in='.length);
      const answer = await send('POST', '/sign-in', json, JSON.stringify({ token }));
      const cookie = String(answer.headers['set-cookie']).split(';', 1)[0] ?? '';
      const authorization = `Bearer ${(JSON.parse(answer.body) as { token: string }).token}`;
      return {
        cookie,
        authorization,
        post: (name, input) =>
          send('POST', `/api/${name}`, { ...json, cookie, authorization }, JSON.stringify(input ?? {})),
        openStream: () =>
          new Promise((resolve, reject) => {
            const headers = { cookie, authorization };
            const sent = request(
              { host: '127.0.0.1', port, path: '/api/stream', headers, agent: false },
              (response) => {
                if (response.statusCode !== 200) return reject(new Error(`stream: ${response.statusCode}`));
                response.once('data', () => resolve(() => void sent.destroy()));
                response.resume();
              },
            );
            // Leaving is an error to the one who leaves.
            sent.on('error', reject);
            sent.end();
          }),
      };
    },
    async close() {
      gatehouse.core.setDashboard(null);
      await dashboard.close();
    },
  };
}
