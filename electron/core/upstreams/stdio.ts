import { type ChildProcess, spawn } from 'node:child_process';
import type { JSONRPCMessage, RequestId, Transport } from '@modelcontextprotocol/client';
import { exactTextOf } from '../exact-text.ts';
import type { Clock } from '../platform.ts';
import type { Channel } from './channel.ts';
import { sizeInWords } from './limits.ts';
import type { Group, Processes } from './processes.ts';

export interface StdioWanted {
  readonly upstreamId: string;
  /** Absolute. */
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface StdioParts {
  readonly clock: Clock;
  readonly processes: Processes;
  readonly limits: { readonly messageBytes: number; readonly graceMs: number };
  /** What is for the SDK of a line; null: it is no MCP message. */
  hear(line: string): JSONRPCMessage | null;
  /** A message over the limit; the id when it can be told. The process is ended. */
  onTooLarge(id: RequestId | null): void;
  onStderr(chunk: string): void;
  /** A line on standard output that is no MCP message. */
  onGarbage(line: string): void;
}

/**
 * An upstream as a child process: no shell, a process group of its own, one JSON message per line. Starts it at once; a
 * start that fails shows as `ending()` and closes the transport.
 */
export function openStdio(wanted: StdioWanted, parts: StdioParts): Channel {
  const { clock, limits } = parts;
  let ending: string | null = null;
  let garbage = 0;
  let group: Group | null = null;
  let closing: Promise<void> | null = null;
  let resolveGone: () => void = () => {};
  const gone = new Promise<void>((resolve) => {
    resolveGone = resolve;
  });

  const child = spawn(wanted.command, [...wanted.args], {
    cwd: wanted.cwd,
    env: { ...wanted.env },
    detached: process.platform !== 'win32',
    windowsHide: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  if (child.pid !== undefined) group = parts.processes.started(wanted.upstreamId, child.pid);

  const transport: Transport = {
    async start() {
      // The process runs since `openStdio`; what it wrote before now waits in the pipe.
      child.stdout.on('data', (chunk: Buffer) => reader.take(chunk));
      if (ending !== null) throw new Error(ending);
    },
    send: (message) =>
      new Promise((resolve, reject) => {
        if (ending !== null) return reject(new Error(ending));
        child.stdin.write(`${oneLine(exactTextOf(message) ?? JSON.stringify(message))}\n`, (error) => {
          if (!error) return resolve();
          // Its end is known a moment after its pipe broke, and says more than the pipe does.
          void within(gone, clock, PARTING_MS).then(() => reject(new Error(ending ?? error.message)));
        });
      }),
    close,
  };

  const reader = lineReader(() => limits.messageBytes, {
    line(text) {
      const message = parts.hear(text);
      if (message !== null) return transport.onmessage?.(message);
      if (text.trim() === '') return;
      garbage += 1;
      parts.onGarbage(text);
    },
    tooLong(head) {
      ending ??= `was stopped because it sent a message of more than ${sizeInWords(limits.messageBytes)}, its limit`;
      parts.onTooLarge(idIn(head));
      void close();
    },
  });

  child.stderr.setEncoding('utf8').on('data', parts.onStderr);
  // A broken pipe shows as the end of the process; without listeners it would end us.
  child.stdin.on('error', () => {});
  child.on('error', (error: NodeJS.ErrnoException) => ended(`could not be started (${error.code ?? error.message})`));
  child.on('exit', (code, signal) => {
    // Whatever it started would keep its pipes open and live on.
    group?.signal('SIGKILL');
    const drained = clock.after(DRAIN_MS, () => ended(howItEnded(code, signal)));
    child.once('close', () => {
      drained();
      ended(howItEnded(code, signal));
    });
  });

  function ended(how: string): void {
    ending ??= how;
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
    resolveGone();
    transport.onclose?.();
  }

  function close(): Promise<void> {
    closing ??= stop(child, gone, group, clock, limits.graceMs).then(() => {
      ended('was stopped');
      group?.forget();
    });
    return closing;
  }
  // SECURITY: what could not be written down would outlive us if we were killed (P15).
  if (group !== null && group.fault !== null) {
    void close();
    throw group.fault;
  }
  // A process that ends by itself leaves nothing to stop, yet its group has to be seen empty and forgotten.
  void gone.then(close);

  return { transport, pid: child.pid ?? null, close, ending: () => ending, garbage: () => garbage };
}

/** Input closed, then SIGTERM, then SIGKILL to the whole group; the lifecycle of the MCP specification, stdio. */
async function stop(
  child: ChildProcess,
  gone: Promise<void>,
  group: Group | null,
  clock: Clock,
  graceMs: number,
): Promise<void> {
  if (group === null) return;
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  group.remember();
  child.stdin?.end();
  if (isRunning()) await within(gone, clock, graceMs);
  if (group.isAlive()) group.signal('SIGTERM');
  if (isRunning()) await within(gone, clock, graceMs);
  for (let round = 0; round < KILL_ROUNDS && group.isAlive(); round += 1) {
    group.signal('SIGKILL');
    await new Promise<void>((resolve) => clock.after(KILL_PAUSE_MS, resolve));
  }
}

function within(event: Promise<void>, clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, resolve);
    void event.then(() => {
      cancel();
      resolve();
    });
  });
}

function howItEnded(code: number | null, signal: NodeJS.Signals | null): string {
  return code === null ? `was ended by ${signal}` : `ended with exit code ${code}`;
}

/** Cuts bytes into lines and never keeps more than `limit` of them, which may change. */
function lineReader(limit: () => number, on: { line(text: string): void; tooLong(head: string): void }) {
  let chunks: Buffer[] = [];
  let size = 0;
  let stopped = false;
  return {
    take(chunk: Buffer): void {
      let from = 0;
      for (let end = chunk.indexOf(NEWLINE); end >= 0 && !stopped; end = chunk.indexOf(NEWLINE, from)) {
        const last = chunk.subarray(from, end);
        from = end + 1;
        const line = size === 0 ? last : Buffer.concat([...chunks, last]);
        chunks = [];
        size = 0;
        if (line.length > limit()) overflow(line);
        else
          on.line(
            line
              .toString('utf8')
              .replace(/^\ufeff/, '')
              .replace(/\r$/, ''),
          );
      }
      if (stopped || from >= chunk.length) return;
      chunks.push(chunk.subarray(from));
      size += chunk.length - from;
      if (size > limit()) overflow(chunks[0] ?? chunk);
    },
  };

  function overflow(start: Buffer): void {
    stopped = true;
    chunks = [];
    on.tooLong(start.subarray(0, HEAD_BYTES).toString('utf8'));
  }
}

/** A line break between two values of a client's text would end the message here; a space says the same. */
function oneLine(text: string): string {
  return text.replace(/[\r\n]/g, ' ');
}

/** The request that a message answers, from its first bytes. */
function idIn(head: string): RequestId | null {
  const found = /^\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*(\d+)/.exec(head);
  return found ? Number(found[1]) : null;
}

const NEWLINE = 10;
const HEAD_BYTES = 256;
/** After the end of a process its last answers may still be in the pipe. */
const DRAIN_MS = 500;
/** From a broken pipe to the exit code; longer than `DRAIN_MS`. */
const PARTING_MS = 1_000;
const KILL_ROUNDS = 20;
const KILL_PAUSE_MS = 25;
