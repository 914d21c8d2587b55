import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from './gatehouse.ts';

export const GATEHOUSE = join(fileURLToPath(new URL('../..', import.meta.url)), 'bin/gatehouse');

export interface BridgeMessage {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

/** `gatehouse stdio` as a client starts it, spoken to line by line. */
export interface StdioClient extends AsyncDisposable {
  readonly child: ChildProcess;
  send(line: string | object): void;
  /** Lines on stdout so far. Throws when one is no JSON object: stdout holds nothing but protocol. */
  received(): readonly { readonly raw: string; readonly message: BridgeMessage }[];
  /** The first message that fits, once it is there. */
  next(fits: (message: BridgeMessage) => boolean, what: string, ms?: number): Promise<BridgeMessage>;
  /** Sends a request and waits for its answer. */
  ask(
    message: { readonly id: string | number; readonly method: string; readonly params?: object },
    ms?: number,
  ): Promise<BridgeMessage>;
  /** `initialize` and `notifications/initialized` of 2025-11-25. */
  initialize(capabilities?: object): Promise<BridgeMessage>;
  stderr(): string;
  /** Closes stdin and waits for the end; the exit code. */
  end(): Promise<number | null>;
  readonly ended: Promise<number | null>;
}

export function startStdio(env: Readonly<Record<string, string>>, args: readonly string[] = []): StdioClient {
  const child = spawn(GATEHOUSE, ['stdio', ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  // Writing to one that has ended is part of some tests.
  child.stdin.on('error', () => {});
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));

  const client: StdioClient = {
    child,
    ended,
    stderr: () => stderr,
    send(line) {
      child.stdin.write(`${typeof line === 'string' ? line : JSON.stringify({ jsonrpc: '2.0', ...line })}\n`);
    },
    received: () =>
      stdout
        .split('\n')
        .slice(0, -1)
        .map((raw) => {
          const message: unknown = JSON.parse(raw);
          if (typeof message !== 'object' || message === null || !('jsonrpc' in message))
            throw new Error(`no message: ${raw}`);
          return { raw, message: message as BridgeMessage };
        }),
    next: (fits, what, ms = 15_000) =>
      eventually(
        () => client.received().find(({ message }) => fits(message))?.message ?? null,
        `${what}; stderr: ${stderr}`,
        ms,
      ),
    ask(message, ms) {
      client.send(message);
      return client.next(
        (one) => one.id === message.id && one.method === undefined,
        `the answer to ${message.method}`,
        ms,
      );
    },
    async initialize(capabilities = {}) {
      const clientInfo = { name: 'line-client', version: '1' };
      const params = { protocolVersion: '2025-11-25', capabilities, clientInfo };
      const answer = await client.ask({ id: 'hello', method: 'initialize', params }, 25_000);
      client.send({ method: 'notifications/initialized' });
      return answer;
    },
    end() {
      child.stdin.end();
      return ended;
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await ended;
    },
  };
  return client;
}
