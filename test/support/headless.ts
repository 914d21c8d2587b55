import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RequestInput, RequestName, RequestResult } from '../../shared/api.ts';
import type { ApprovalView, AuditEntryView, Risk, UpstreamView } from '../../shared/model.ts';
import { assertNoSecretIn } from './canary.ts';
import { type Answer, eventually, lastMessage } from './gatehouse.ts';
import { jsonLines } from './lines.ts';
import { MODERN_META } from './target.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** The command line of the build. */
export const CLI = join(ROOT, 'out/main/cli.js');
export const RECORDER = fileURLToPath(new URL('./recorder-stdio.mjs', import.meta.url));

export interface Said {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Gatehouse from the build as a process of its own, in its own home, and a person at its dashboard. */
export interface Headless extends AsyncDisposable {
  /** Of Gatehouse itself, whatever was put before it. */
  readonly pid: number;
  readonly endpoint: string;
  readonly folder: string;
  /** Everything this process may write to lies under here: home, temporary files, the data folder unless given. */
  readonly base: string;
  /** stdout and stderr so far. */
  said(): { readonly stdout: string; readonly stderr: string };
  /** Every reply so far, of the dashboard and of the gateway: headers and body. */
  readonly replies: readonly { readonly path: string; readonly text: string }[];
  /** As the person at the dashboard does. Throws when the request is not answered. */
  ask<N extends RequestName>(name: N, input?: RequestInput<N>): Promise<RequestResult<N>>;
  /** The same, with the refusal as it came. */
  add(name: string, options: AddOptions): Promise<UpstreamView>;
  /** Waits for the tools of an upstream and accepts them all at one risk. */
  review(upstream: string, risk: Risk): Promise<void>;
  key(name: string): Promise<string>;
  call(key: string, tool: string, argumentsText?: string): Promise<Answer>;
  card(): Promise<ApprovalView>;
  approve(card: ApprovalView): Promise<void>;
  audit(until?: (entries: readonly AuditEntryView[]) => boolean): Promise<readonly AuditEntryView[]>;
  /** One command of the command line on the same data folder. */
  cli(args: readonly string[], stdin?: string): Promise<Said>;
  /** Sends the signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

export interface AddOptions {
  readonly command?: string;
  readonly args?: readonly string[];
  readonly url?: string;
  readonly secrets?: Readonly<Record<string, string>>;
}

export interface HeadlessOptions {
  /** The data folder; one of its own when left out. */
  readonly folder?: string;
  readonly base?: string;
  /** 0, any free one, when left out. */
  readonly port?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Words before the command, such as strace. */
  readonly before?: readonly string[];
  /** False: no live stream of the dashboard is open, so nobody is there to approve. */
  readonly approver?: boolean;
}

/** A home of its own; no keychain, no display, and nothing of ours. */
export function environmentOf(base: string): Record<string, string> {
  mkdirSync(join(base, 'home'), { recursive: true });
  mkdirSync(join(base, 'tmp'), { recursive: true });
  return {
    PATH: process.env.PATH ?? '',
    HOME: join(base, 'home'),
    TMPDIR: join(base, 'tmp'),
    LANG: 'C.UTF-8',
    GATEHOUSE_MASTER_KEY_FILE: join(base, 'master-key'),
  };
}

/** Runs a command to its end; `stdin` is written to it. */
export async function ran(
  words: readonly string[],
  env: Readonly<Record<string, string>>,
  stdin = '',
  cwd = ROOT,
): Promise<Said> {
  const [command = '', ...args] = words;
  const child = spawn(command, args, { env, cwd, stdio: ['pipe', 'pipe', 'pipe'] });
  const said = listen(child);
  child.stdin.on('error', () => {});
  child.stdin.end(stdin);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exit) => resolve(exit));
  });
  return { code, ...said() };
}

/** The words that start Gatehouse from the build, headless on any free port. */
export function startWords(folder: string, port = 0): readonly string[] {
  if (!existsSync(CLI)) throw new Error('There is no build to test: npm run setup');
  return [process.execPath, CLI, 'start', '--headless', '--port', String(port), '--data', folder, '--json'];
}

export function newBase(): string {
  return mkdtempSync(join(tmpdir(), 'gatehouse-child-'));
}

export async function startHeadless(options: HeadlessOptions = {}): Promise<Headless> {
  const base = options.base ?? newBase();
  const folder = options.folder ?? join(base, 'data');
  const env = { ...environmentOf(base), ...options.env };
  const [command = '', ...args] = [...(options.before ?? []), ...startWords(folder, options.port)];
  const child = spawn(command, args, { env, cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = listen(child);
  const exit = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  const ready = await Promise.race([
    eventually(() => said().stdout.split('\n').slice(0, -1)[0] ?? null, 'Gatehouse to be ready', 20_000),
    exit.then((code) => {
      throw new Error(`Gatehouse ended with ${code}: ${said().stderr}`);
    }),
  ]);
  const { endpoint, dashboard, pid } = JSON.parse(ready) as { endpoint: string; dashboard: string; pid: number };
  const replies: { path: string; text: string }[] = [];
  const origin = new URL(dashboard).origin;

  async function post(url: string, headers: Readonly<Record<string, string>>, body: string) {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    });
    const text = await response.text();
    const head = [...response.headers].map((pair) => pair.join(': ')).join('\n');
    replies.push({ path: new URL(url).pathname, text: `${head}\n\n${text}` });
    return { response, text };
  }

  const token = new URL(dashboard).hash.slice('#sign-in='.length);
  const signedIn = await post(`${origin}/sign-in`, {}, JSON.stringify({ token }));
  const person = {
    cookie: (signedIn.response.headers.get('set-cookie') ?? '').split(';', 1)[0] ?? '',
    authorization: `Bearer ${(JSON.parse(signedIn.text) as { token: string }).token}`,
  };
  const leave = new AbortController();
  if (options.approver !== false) {
    const stream = await fetch(`${origin}/api/stream`, { headers: person, signal: leave.signal });
    // Read to its end, or the server takes us for somebody who looks away.
    void stream.text().catch(() => {});
  }

  async function ask<N extends RequestName>(name: N, input?: RequestInput<N>): Promise<RequestResult<N>> {
    const { response, text } = await post(`${origin}/api/${name}`, person, JSON.stringify(input ?? {}));
    if (response.status !== 200) throw new Error(`${name}: ${response.status} ${text}`);
    return (JSON.parse(text) as { result: RequestResult<N> }).result;
  }

  let calls = 0;
  const keys: string[] = [];
  const gatehouse: Headless = {
    pid,
    endpoint,
    folder,
    base,
    said,
    replies,
    ask,
    async add(name, { command: program, args: words = [], url, secrets = {} }) {
      const added = await ask('upstreamAdd', {
        name,
        transport:
          url === undefined
            ? { kind: 'stdio', command: program ?? process.execPath, args: [...words], secretEnv: Object.keys(secrets) }
            : { kind: 'http', url, secretHeaders: Object.keys(secrets) },
        secrets,
      });
      if (added.kind !== 'done') throw new Error(added.message);
      return added.upstream;
    },
    async review(upstream, risk) {
      const tools = await eventually(
        async () => {
          const listed = await ask('toolsList', { upstream });
          return listed.length > 0 ? listed : null;
        },
        `the tools of ${upstream}`,
        10_000,
      );
      const accept = tools.map((tool) => ({ name: tool.name, fingerprint: tool.fingerprint, risk }));
      const done = await ask('toolsReview', { upstream, accept });
      if (done.kind !== 'done') throw new Error(done.message);
    },
    async key(name) {
      const made = await ask('keyCreate', { role: 'executor', name });
      if (made.kind !== 'done') throw new Error(made.message);
      keys.push(made.secret);
      return made.secret;
    },
    async call(key, tool, argumentsText = '{}') {
      const body = `{"jsonrpc":"2.0","id":${++calls},"method":"tools/call","params":{"name":${JSON.stringify(tool)},"arguments":${argumentsText},"_meta":${JSON.stringify(MODERN_META)}}}`;
      const { response, text } = await post(
        endpoint,
        {
          accept: 'application/json, text/event-stream',
          authorization: `Bearer ${key}`,
          'mcp-protocol-version': '2026-07-28',
          'mcp-method': 'tools/call',
          'mcp-name': tool,
        },
        body,
      );
      return { status: response.status, headers: response.headers, text, message: lastMessage(response, text) };
    },
    card: () => eventually(async () => (await ask('approvalsList', { state: 'waiting' }))[0] ?? null, 'a card'),
    async approve(card) {
      const done = await ask('approvalApprove', { approval: card.id, argumentsSha256: card.argumentsSha256 });
      if (done.kind !== 'done') throw new Error(done.message);
    },
    audit: (until = () => true) =>
      eventually(async () => {
        const { records } = await ask('auditList', { limit: 500 });
        const entries = records.flatMap((record) => record.entries).toSorted((a, b) => a.seq - b.seq);
        return until(entries) ? entries : null;
      }, 'the audit entries'),
    cli: (words, stdin) => cli(folder, env, words, stdin),
    async stop(signal = 'SIGTERM') {
      leave.abort();
      if (child.exitCode === null && child.signalCode === null) process.kill(pid, signal);
      const code = await exit;
      assertNoSecretIn(folder, keys);
      return code;
    },
    async [Symbol.asyncDispose]() {
      await gatehouse.stop();
      if (options.base === undefined) rmSync(base, { recursive: true, force: true });
    },
  };
  return gatehouse;
}

/** One command of the command line; its own words come before `--`. */
export function cli(
  folder: string,
  env: Readonly<Record<string, string>>,
  words: readonly string[],
  stdin = '',
): Promise<Said> {
  const cut = words.indexOf('--');
  const own = cut < 0 ? words : words.slice(0, cut);
  const rest = cut < 0 ? [] : words.slice(cut);
  return ran([process.execPath, CLI, ...own, '--data', folder, ...rest], env, stdin, env.HOME);
}

/** Raw lines that a recorder upstream got, oldest first; none when it was never started. */
export function recorded(file: string): readonly Readonly<Record<string, unknown>>[] {
  return jsonLines(file);
}

/** The texts that `tools/call` requests carried to a recorder upstream. */
export function reached(file: string): readonly string[] {
  return recorded(file).flatMap(({ kind, raw }) =>
    kind === 'line' && typeof raw === 'string' && raw.includes('"tools/call"') ? [raw] : [],
  );
}

function listen(child: ChildProcess): () => { readonly stdout: string; readonly stderr: string } {
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return () => ({ stdout, stderr });
}
