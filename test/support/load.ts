import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** What one run of `load.mjs` saw. */
export interface Load {
  /** Latency of each call that was answered, milliseconds, sorted. */
  readonly ms: readonly number[];
  readonly statuses: Readonly<Record<string, number>>;
  /** Error codes in the answers. */
  readonly codes: Readonly<Record<string, number>>;
  readonly lost: number;
}

/** Calls of one key from a process of its own. */
export interface Caller {
  /** So many calls, one after the other. */
  probe(count: number): Promise<Load>;
  /** So many a second for so long, whether answered or not. */
  flood(perSecond: number, ms: number): Promise<Load>;
}

export function caller(port: number, key: string, tool: string): Caller {
  const run = async (mode: string, ...numbers: readonly number[]) => {
    const args = [LOAD, mode, `http://127.0.0.1:${port}/mcp`, key, tool, ...numbers.map(String)];
    const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 64 * 1024 * 1024 });
    return JSON.parse(stdout) as Load;
  };
  return { probe: (count) => run('probe', count), flood: (perSecond, ms) => run('flood', perSecond, ms) };
}

/** The latency that a share `q` of the calls did not exceed. */
export function quantile({ ms }: Load, q: number): number {
  return ms[Math.min(ms.length - 1, Math.floor(ms.length * q))] ?? Number.POSITIVE_INFINITY;
}

/** Sockets that never finish their request, from a process of their own; see `slow-sockets.mjs`. */
export interface Slow {
  /** How long each socket was left open, milliseconds, sorted. */
  readonly lived: readonly number[];
  /** How many got which status; '' is none. */
  readonly answers: Readonly<Record<string, number>>;
}

export async function slowSockets(
  port: number,
  count: number,
  kind: 'head' | 'silent' | 'body',
  everyMs: number,
  key = '',
): Promise<Slow> {
  const args = [SLOW, port, count, kind, everyMs, key].map(String);
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as Slow;
}

const LOAD = fileURLToPath(new URL('./load.mjs', import.meta.url));
const SLOW = fileURLToPath(new URL('./slow-sockets.mjs', import.meta.url));
