import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { RequestInput } from '../../shared/api.ts';
import { eventually, type TestGatehouse } from './gatehouse.ts';

/** A server program of the tests that listens, and ends when it is let go. */
export interface Listening extends AsyncDisposable {
  readonly url: string;
}

/** The dual-era server of the conformance runs (test/support/conformance/fixture). */
export function startFixture(): Promise<Listening> {
  return startListening('conformance/fixture/server.ts');
}

/** Runs a script of test/support that prints `{"url": …}` once it listens, and ends when its input closes. */
export async function startListening(script: string, ...words: readonly string[]): Promise<Listening> {
  const path = fileURLToPath(new URL(`./${script}`, import.meta.url));
  const child = spawn(process.execPath, [path, ...words], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const [line] = await new Promise<readonly string[]>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', (text) => resolve([text]));
    child.once('exit', (code) => reject(new Error(`${script} ended with ${code}`)));
  });
  const { url } = JSON.parse(line ?? '') as { url: string };
  return {
    url,
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await ended;
    },
  };
}

/** Adds an upstream and accepts all that it offers, as the person would; everything runs at once. */
export async function addReviewed(
  gatehouse: TestGatehouse,
  name: string,
  where: string | RequestInput<'upstreamAdd'>['transport'],
  risk: 'read' | 'write' = 'read',
): Promise<string> {
  const transport = typeof where === 'string' ? { kind: 'http' as const, url: where } : where;
  const added = await gatehouse.ask('upstreamAdd', { name, transport });
  if (added.kind !== 'done') throw new Error(added.message);
  const { id } = added.upstream;
  await untilReady(gatehouse, name);
  const tools = await gatehouse.ask('toolsList', { upstream: id });
  const accept = tools.map((tool) => ({ kind: tool.kind, name: tool.name, fingerprint: tool.fingerprint, risk }));
  const reviewed = await gatehouse.ask('toolsReview', { upstream: id, accept });
  if (reviewed.kind !== 'done') throw new Error(reviewed.message);
  return id;
}

export async function untilReady(gatehouse: TestGatehouse, name: string): Promise<void> {
  await eventually(
    async () => {
      const found = (await gatehouse.ask('upstreamsList')).find((upstream) => upstream.name === name);
      return found?.status === 'ready' ? true : null;
    },
    `${name} to be ready`,
    20_000,
  );
}
