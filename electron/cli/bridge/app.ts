import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { connectControl } from '../../core/control/client.ts';
import { codeOf, privateFolder } from '../../core/store/files.ts';

/** Where the running app is, which may be another place after every restart. */
export interface RunningApp {
  /** Address of the MCP endpoint. With `mayStart` the app is started where it does not run and does not come back. */
  reach(mayStart: boolean): Promise<Reached>;
  /** It was not where it was said to be. */
  lost(): void;
  /** Stops looking for it; what was started goes on. */
  close(): void;
}

export type Reached =
  | { readonly kind: 'at'; readonly endpoint: string }
  /** One sentence that says what to do. */
  | { readonly kind: 'fault'; readonly message: string };

export interface AppParts {
  readonly folder: string;
  /** Program and arguments that start the app in the background. */
  readonly startWords: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** So long may a start take. Milliseconds. */
const START_MS = 10_000;
/** An app that was there and is gone is probably being restarted; after so long it is started. */
const RETURN_MS = 5_000;
const LOOK_EVERY_MS = 100;

export function createRunningApp(parts: AppParts): RunningApp {
  let known: string | null = null;
  let wasThere = false;
  let reaching: Promise<Reached> | null = null;
  const closed = new AbortController();

  async function look(): Promise<string | null> {
    const client = await connectControl(parts.folder);
    if (client === null) return null;
    try {
      const answer = await client.request('status', {});
      return answer.kind === 'answered' ? answer.result.endpoint : null;
    } finally {
      client.close();
    }
  }

  async function lookFor(ms: number, over: () => boolean = () => false): Promise<string | null> {
    const end = performance.now() + ms;
    for (;;) {
      const endpoint = await look();
      if (endpoint !== null || performance.now() > end || over() || closed.signal.aborted) return endpoint;
      await pause(LOOK_EVERY_MS, undefined, { signal: closed.signal }).catch(() => {});
    }
  }

  async function find(): Promise<Reached> {
    const there = await lookFor(wasThere ? RETURN_MS : 0);
    if (there !== null) return at(there);
    if (closed.signal.aborted) return { kind: 'fault', message: 'Gatehouse is not running.' };
    const started = start(parts);
    if (started.kind === 'fault') return started;
    // The other one of two that start at once ends by itself and says that it runs already; it is found all the same.
    const found = await lookFor(START_MS, () => started.ended() !== null && !started.runsAlready());
    if (found !== null) return at(found);
    const why = started.said() ?? `it did not answer within ${START_MS / 1000} seconds.`;
    return { kind: 'fault', message: `Gatehouse could not be started: ${why}` };
  }

  function at(endpoint: string): Reached {
    known = endpoint;
    wasThere = true;
    return { kind: 'at', endpoint };
  }

  return {
    async reach(mayStart) {
      if (known !== null) return { kind: 'at', endpoint: known };
      if (reaching !== null) return reaching;
      if (!mayStart) {
        const endpoint = await look();
        return endpoint === null ? { kind: 'fault', message: 'Gatehouse is not running.' } : at(endpoint);
      }
      reaching = find().finally(() => {
        reaching = null;
      });
      return reaching;
    },
    lost() {
      known = null;
    },
    close: () => closed.abort(),
  };
}

type Started =
  | { readonly kind: 'fault'; readonly message: string }
  | {
      readonly kind: 'started';
      /** Exit code, or a word for why there is none; null while it runs. */
      ended(): number | string | null;
      /** Its last sentence on stderr. */
      said(): string | null;
      runsAlready(): boolean;
    };

/** Starts the app for good: it outlives us and has nothing of us but its environment, without what is ours alone. */
function start({ folder, startWords, env }: AppParts): Started {
  const file = join(folder, 'logs', 'start.log');
  let words: number;
  try {
    privateFolder(folder);
    privateFolder(join(folder, 'logs'));
    // Two that start at once both write here, each at the end.
    writeFileSync(file, '', { mode: 0o600 });
    words = openSync(file, 'a', 0o600);
  } catch (error) {
    return {
      kind: 'fault',
      message: `The data folder ${folder} cannot be written (${codeOf(error)}). Make it writable for your user, or give another with --data.`,
    };
  }
  // SECURITY: the key is the client's, and what a client starts is never unattended.
  const { GATEHOUSE_KEY: _key, GATEHOUSE_UNATTENDED: _unattended, ...passedOn } = env;
  let ended: number | string | null = null;
  const [program = '', ...args] = startWords;
  const child = spawn(program, args, {
    cwd: homedir(),
    env: passedOn,
    detached: true,
    windowsHide: true,
    stdio: ['ignore', 'ignore', words],
  });
  closeSync(words);
  child.once('error', (error) => {
    ended = codeOf(error);
  });
  child.once('exit', (code, signal) => {
    ended = code ?? signal;
  });
  child.unref();
  const said = () => lastSentence(file);
  return { kind: 'started', ended: () => ended, said, runsAlready: () => said()?.includes(RUNS_ALREADY) === true };
}

const RUNS_ALREADY = 'already runs';

function lastSentence(file: string): string | null {
  try {
    const lines = readFileSync(file, 'utf8').split('\n');
    const line = lines.findLast((text) => text.startsWith('gatehouse: '));
    return line?.slice('gatehouse: '.length) ?? null;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}
