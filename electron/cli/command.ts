import type { Door } from './door.ts';
import type { Terminal } from './terminal.ts';

/** One option of a command, as `node:util` parses it and as the help shows it. */
export interface Option {
  readonly type: 'string' | 'boolean';
  /** What stands in the place of the value in the help: `NAME`, `DIR`. */
  readonly value?: string;
  readonly help: string;
  readonly multiple?: boolean;
  readonly short?: string;
}

/** One command of `gatehouse`: parsing, help and the nearest match for a slip of the finger are made from this. */
export interface Command {
  /** `['keys', 'create']` */
  readonly words: readonly string[];
  readonly summary: string;
  /** Names of what follows the words, in order; one that ends in `?` may be left out. */
  readonly takes?: readonly string[];
  /** What may follow `--`, for the help: `<command> <args…>`. */
  readonly rest?: string;
  readonly options?: Readonly<Record<string, Option>>;
  /** Returns the exit code. Whatever went wrong was said by then, in a sentence on stderr. */
  run(call: Call): Promise<number>;
}

/** What was typed, taken apart, and what a command works with. */
export interface Call {
  readonly words: readonly string[];
  readonly rest: readonly string[] | null;
  text(option: string): string | null;
  texts(option: string): readonly string[];
  flag(option: string): boolean;
  readonly terminal: Terminal;
  readonly stdin: NodeJS.ReadableStream;
  /** For what is no text of ours; everything else goes through `terminal`. */
  readonly stdout: NodeJS.WritableStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Reaches the running app, or opens the data folder where none runs; null when neither works, and that was said. */
  door(): Promise<Door | null>;
  /** The same only where an app runs; null without a word where none does. */
  runningDoor(): Promise<Door | null>;
}

/** Options that every command has. */
export const COMMON = {
  data: { type: 'string', value: 'DIR', help: 'the data folder, if not the usual one' },
  help: { type: 'boolean', short: 'h', help: 'show this help' },
} as const satisfies Record<string, Option>;

export const JSON_OPTION = { json: { type: 'boolean', help: 'print JSON' } } as const satisfies Record<string, Option>;

export const WORKSPACE_OPTION = {
  workspace: { type: 'string', value: 'W', help: 'the workspace, by name; else Personal' },
} as const satisfies Record<string, Option>;
