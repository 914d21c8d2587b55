import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { runCli } from '../../electron/cli/main.ts';
import type { Streams } from '../../electron/cli/terminal.ts';
import type { ApiAnswer } from '../../electron/core/api.ts';
import { serveControl } from '../../electron/core/control/server.ts';
import { API, type RequestName, type RequestResults } from '../../shared/api.ts';
import type { StatusView, Topic } from '../../shared/model.ts';

export interface Asked {
  readonly name: string;
  readonly input: unknown;
}

type Answers = {
  [N in RequestName]?: RequestResults[N] | ((input: unknown) => Promise<RequestResults[N]> | RequestResults[N]);
};

/** A running app as the command line sees it: the real socket, with an API whose answers the test gives. */
export interface AppDouble {
  readonly folder: string;
  readonly asked: readonly Asked[];
  /** What was asked, without the look at confirmations that every command takes. */
  requests(): readonly Asked[];
  answers: Answers;
  tell(topic: Topic): void;
  /** The app goes away; its data folder stays. */
  quit(): Promise<void>;
  close(): Promise<void>;
}

export const status: StatusView = {
  version: '0.1.0',
  mode: 'headless',
  endpoint: 'http://127.0.0.1:3100/mcp',
  healthy: true,
  banners: [],
  waiting: 0,
  pauses: [],
  trusts: [],
  secretsLost: null,
  dataFolder: '/data',
};

export async function startAppDouble(answers: Answers = {}): Promise<AppDouble> {
  const folder = mkdtempSync(join(tmpdir(), 'gh-cli-'));
  const asked: Asked[] = [];
  const listeners = new Set<(topic: Topic) => void>();
  const double = { answers: { status, confirmationsList: [], ...answers } as Answers };
  const started = await serveControl({
    folder,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    api: {
      async request(name, input): Promise<ApiAnswer> {
        asked.push({ name, input });
        if (!(name in API)) return { kind: 'unknown_request', message: name };
        const parsed = API[name as RequestName].safeParse(input);
        if (!parsed.success) return { kind: 'bad_request', message: parsed.error.issues[0]?.message ?? '' };
        const answer = double.answers[name as RequestName];
        if (answer === undefined) return { kind: 'bad_request', message: `the test gave no answer to ${name}` };
        return { kind: 'answered', result: typeof answer === 'function' ? await answer(parsed.data) : answer };
      },
    },
  });
  if (started.kind === 'fault') throw new Error(started.message);
  return {
    folder,
    asked,
    requests: () => asked.filter(({ name }) => name !== 'confirmationsList'),
    get answers() {
      return double.answers;
    },
    set answers(next) {
      double.answers = { ...double.answers, ...next };
    },
    tell(topic) {
      for (const listener of listeners) listener(topic);
    },
    quit: () => started.server.close(),
    async close() {
      await started.server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface Run {
  readonly out: string;
  readonly err: string;
}

/** A command line that runs in this process: what it wrote so far, and its exit code when it ends. */
export interface RunningCommand extends Run {
  readonly code: Promise<number>;
  /** The keyboard or the pipe. */
  readonly stdin: PassThrough & { isTTY?: boolean };
}

export function command(
  argv: readonly string[],
  { folder, stdin = null, tty = false, env = {} }: CommandSetting,
): RunningCommand {
  let out = '';
  let err = '';
  const input: RunningCommand['stdin'] & { setRawMode?(raw: boolean): void } = new PassThrough();
  if (tty) {
    input.isTTY = true;
    input.setRawMode = () => {};
  }
  if (stdin !== null) input.end(stdin);
  const collect = (add: (text: string) => void) =>
    new Writable({
      write(chunk, _encoding, done) {
        add(String(chunk));
        done();
      },
    });
  const streams: Streams = {
    stdin: input,
    stdout: collect((text) => {
      out += text;
    }),
    stderr: collect((text) => {
      err += text;
    }),
  };
  const code = runCli(argv, { ...streams, env: { GATEHOUSE_DATA: folder, ...env }, cwd: '/srv/work' });
  return {
    code,
    stdin: input,
    get out() {
      return out;
    },
    get err() {
      return err;
    },
  };
}

export interface CommandSetting {
  readonly folder: string;
  /** Everything that stands on stdin; null keeps it open. */
  readonly stdin?: string | null;
  readonly tty?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a command line to its end. */
export async function run(argv: readonly string[], setting: CommandSetting): Promise<Run & { readonly code: number }> {
  const running = command(argv, { stdin: '', ...setting });
  const code = await running.code;
  return { code, out: running.out, err: running.err };
}
