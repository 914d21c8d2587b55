import { createInterface } from 'node:readline';
import { visible } from './untrusted.ts';

/** The three streams of a command. */
export interface Streams {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown };
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
}

export interface Terminal {
  /** One line of the result, on stdout. Untrusted text must have gone through `visible` before. */
  print(line: string): void;
  /** One line to the person, on stderr. */
  say(line: string): void;
  /** A value that nobody looking on, no shell history and no process list may see; null when stdin ended. */
  askSecret(prompt: string): Promise<string | null>;
  /** False at once where nobody can be asked. */
  askYes(question: string): Promise<boolean>;
  /** What the person types, shown; null at once where nobody can be asked. */
  askLine(question: string): Promise<string | null>;
  readonly interactive: boolean;
  /** Lets go of stdin, so that the process can end. */
  close(): void;
}

export function createTerminal({ stdin, stdout, stderr }: Streams): Terminal {
  const interactive = stdin.isTTY === true;
  const say = (line: string) => {
    stderr.write(`${line}\n`);
  };
  const lines = createLineReader(stdin);
  return {
    interactive,
    print: (line) => {
      stdout.write(`${line}\n`);
    },
    say,
    async askSecret(prompt) {
      if (!interactive) return lines.next();
      stderr.write(prompt);
      const value = await readHidden(stdin);
      stderr.write('\n');
      return value;
    },
    async askYes(question) {
      if (!interactive) return false;
      stderr.write(question);
      const answer = await lines.next();
      return /^y(es)?$/i.test(answer?.trim() ?? '');
    },
    async askLine(question) {
      if (!interactive) return null;
      stderr.write(question);
      return lines.next();
    },
    close: () => lines.close(),
  };
}

/** A table with a heading, columns as wide as their widest cell. Cells are made visible here. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const cells = [heading, ...rows].map((row) => row.map(visible));
  const widths = heading.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** Local time to the second, the same in every language. */
export function shownTime(at: number | null): string {
  return at === null ? '-' : new Date(at).toLocaleString('sv-SE');
}

/** Lines of stdin as they are asked for; readline is opened by the first question only. */
function createLineReader(stdin: NodeJS.ReadableStream): { next(): Promise<string | null>; close(): void } {
  let reader: ReturnType<typeof createInterface> | null = null;
  const ready: string[] = [];
  const waiting: ((line: string | null) => void)[] = [];
  let ended = false;
  const open = () => {
    reader = createInterface({ input: stdin, terminal: false });
    reader.on('line', (line) => {
      const next = waiting.shift();
      if (next) next(line);
      else ready.push(line);
    });
    reader.on('close', () => {
      ended = true;
      for (const next of waiting.splice(0)) next(null);
    });
  };
  return {
    next() {
      if (!reader) open();
      const line = ready.shift();
      if (line !== undefined) return Promise.resolve(line);
      if (ended) return Promise.resolve(null);
      return new Promise((done) => waiting.push(done));
    },
    close: () => reader?.close(),
  };
}

const CTRL_C = '\u0003';
const CTRL_D = '\u0004';

/** Reads one line from the keyboard without showing it. */
function readHidden(stdin: Streams['stdin']): Promise<string | null> {
  return new Promise((done) => {
    let typed = '';
    const finish = (value: string | null) => {
      stdin.off('data', onData);
      stdin.setRawMode?.(false);
      stdin.pause();
      done(value);
    };
    const onData = (chunk: Buffer | string) => {
      for (const character of String(chunk)) {
        if (character === '\r' || character === '\n') return finish(typed);
        if (character === CTRL_C || character === CTRL_D) return finish(null);
        if (character === '\u007f' || character === '\b') typed = [...typed].slice(0, -1).join('');
        else typed += character;
      }
    };
    stdin.setRawMode?.(true);
    stdin.on('data', onData);
    stdin.resume();
  });
}
