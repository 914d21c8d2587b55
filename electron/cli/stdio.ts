import { readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { findDataFolder, thisMachine } from '../core/control/data-folder.ts';
import { codeOf } from '../core/store/files.ts';
import { createRunningApp } from './bridge/app.ts';
import { createByteLines } from './bridge/lines.ts';
import { errorLine } from './bridge/message.ts';
import { createRelay } from './bridge/relay.ts';
import type { Call, Command } from './command.ts';
import { visible } from './untrusted.ts';

/** A line longer than this is no message; the app itself takes 4 MB. */
const LONGEST_LINE = 64 * 1024 * 1024;
/** After the client's last word an answer may take so long; clients kill what is still there soon after. */
const GRACE_MS = 2_000;

/** MCP over stdin and stdout for clients that can only start programs: nothing but protocol on stdout. */
export const stdio: Command = {
  words: ['stdio'],
  summary: 'speak MCP on stdin and stdout, for clients that only start programs; starts Gatehouse if need be',
  options: {
    upstream: { type: 'string', value: 'X', help: 'this upstream alone, under its own names' },
    'key-file': { type: 'string', value: 'FILE', help: 'a file that holds the key; else GATEHOUSE_KEY' },
  },
  async run(call) {
    const { terminal, stdin, stdout } = call;
    const say = (sentence: string) => terminal.say(`gatehouse: ${visible(sentence)}`);
    const settings = readSettings(call);
    if (typeof settings === 'string') {
      say(settings);
      return 1;
    }
    const { folder, key, upstream } = settings;
    let drained: Promise<void> | null = null;
    const emit = async (message: Buffer): Promise<void> => {
      if (stdout.write(Buffer.concat([message, LINE_END]))) return;
      drained ??= new Promise<void>((done) => stdout.once('drain', done)).finally(() => {
        drained = null;
      });
      return drained;
    };
    const relay = createRelay({
      app: createRunningApp({ folder, startWords: startWords(folder), env: call.env }),
      url: (endpoint) => new URL(upstream === null ? '/mcp' : `/u/${upstream}/mcp`, endpoint),
      key,
      emit,
      say,
    });

    const read = createByteLines(
      (line) => {
        if (line.some((byte) => !BLANKS.has(byte))) relay.take(line);
      },
      LONGEST_LINE,
      () => void emit(errorLine('null', { code: -32600, message: `A line is longer than ${LONGEST_LINE} bytes.` })),
    );
    stdin.on('data', (chunk: Buffer) => read(chunk));
    const wasKilled = await new Promise<boolean>((done) => {
      stdin.once('end', () => done(false));
      stdin.once('close', () => done(false));
      for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.once(signal, () => done(true));
    });
    stdin.removeAllListeners('data');
    stdin.pause();
    await relay.finish(wasKilled ? 0 : GRACE_MS);
    return 0;
  },
};

interface Settings {
  readonly folder: string;
  readonly key: string;
  readonly upstream: string | null;
}

/** A string says what is wrong. */
function readSettings(call: Call): Settings | string {
  const { env, cwd } = call;
  const upstream = call.text('upstream');
  if (upstream !== null && !SLUG.test(upstream))
    return `--upstream is '${upstream}'; it must be the name of an upstream. "gatehouse upstreams list" shows them.`;
  const data = findDataFolder(call.text('data'), { ...thisMachine(), env, cwd });
  if (data.kind === 'fault') return data.message;
  const key = readKey(call);
  return typeof key === 'string' ? key : { folder: data.folder, key: key.key, upstream };
}

function readKey(call: Call): { readonly key: string } | string {
  const file = call.text('key-file');
  if (file === null && !call.env.GATEHOUSE_KEY) return NO_KEY;
  let key = call.env.GATEHOUSE_KEY ?? '';
  if (file !== null) {
    try {
      key = readFileSync(isAbsolute(file) ? file : join(call.cwd, file), 'utf8');
    } catch (error) {
      return `The key file ${file} cannot be read (${codeOf(error)}). Give the path of a file that holds one key.`;
    }
  }
  key = key.trim();
  const where = file === null ? 'GATEHOUSE_KEY' : `The key file ${file}`;
  return KEY.test(key) ? { key } : `${where} holds no key. A key begins with gh_; "gatehouse keys create" prints one.`;
}

/** This very program, asked to run the app: as a command of the build, or as the installed tray app. */
function startWords(folder: string): readonly string[] {
  const isInstalled = process.versions.electron !== undefined && !process.defaultApp;
  if (isInstalled) return [process.execPath, '--hidden', '--data', folder];
  return [process.execPath, process.argv[1] ?? '', 'start', '--headless', '--data', folder];
}

const LINE_END = Buffer.from('\n');
const BLANKS = new Set(Buffer.from(' \t\r'));
const SLUG = /^[a-z0-9][a-z0-9-]{0,31}$/;
/** What a header can carry; whether it is a key, the app says. */
const KEY = /^[\x21-\x7e]{1,512}$/;
const NO_KEY =
  'No key was given. Make one with "gatehouse keys create --role executor --name my-agent" and give it in GATEHOUSE_KEY, or in a file with --key-file.';
