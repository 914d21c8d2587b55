import { parseArgs } from 'node:util';
import { COMMON, type Command, type Option } from './command.ts';
import { didYouMean } from './nearest.ts';

/** What was typed after the words of a command. */
export interface Parsed {
  readonly words: readonly string[];
  readonly rest: readonly string[] | null;
  text(option: string): string | null;
  texts(option: string): readonly string[];
  flag(option: string): boolean;
}

export type ParseResult = ({ readonly kind: 'parsed' } & Parsed) | { readonly kind: 'fault'; readonly message: string };

export type FoundCommand =
  | { readonly kind: 'found'; readonly command: Command; readonly rest: readonly string[] }
  /** Only the first word, which several commands share, or no word at all. */
  | { readonly kind: 'group'; readonly group: string | null; readonly asked: boolean }
  | { readonly kind: 'fault'; readonly message: string };

/** Finds the command whose words `argv` begins with. */
export function findCommand(commands: readonly Command[], argv: readonly string[]): FoundCommand {
  const wantsHelp = argv[0] === 'help' || argv[0] === '--help' || argv[0] === '-h';
  const [first, second, third] = wantsHelp ? argv.slice(1) : argv;
  if (first === undefined) return { kind: 'group', group: null, asked: true };

  const group = commands.filter((command) => command.words[0] === first);
  if (group.length === 0) {
    const isOption = first.startsWith('-');
    const known = isOption ? ['--help', '--version'] : [...new Set(commands.map((command) => command.words[0] ?? ''))];
    const what = isOption ? 'option' : 'command';
    return { kind: 'fault', message: `There is no ${what} '${first}'.${didYouMean(first, known)}` };
  }
  const alone = group.find((command) => command.words.length === 1);
  const named = group.filter((candidate) => candidate.words[1] === second);
  const command = alone ?? named.find(({ words }) => words.length === 2 || words[2] === third);
  if (command) {
    const rest = wantsHelp ? ['--help'] : argv.slice(command.words.length);
    return { kind: 'found', command, rest };
  }
  if (named.length > 0 && (third === undefined || third === '--help' || third === '-h')) {
    return { kind: 'group', group: `${first} ${second}`, asked: third !== undefined || wantsHelp };
  }
  if (named.length > 0) {
    const known = named.map(({ words }) => words[2] ?? '');
    const hint = didYouMean(third ?? '', known, (word) => `${first} ${second} ${word}`);
    return { kind: 'fault', message: `There is no command '${first} ${second} ${third}'.${hint}` };
  }
  if (second === undefined || second === '--help' || second === '-h') {
    return { kind: 'group', group: first, asked: second !== undefined || wantsHelp };
  }
  const hint = didYouMean(
    second,
    group.map((candidate) => candidate.words[1] ?? ''),
    (word) => `${first} ${word}`,
  );
  return { kind: 'fault', message: `There is no command '${first} ${second}'.${hint}` };
}

/** Takes apart what follows the words of `command`; the first thing that does not fit is named. */
export function parseCommand(command: Command, args: readonly string[]): ParseResult {
  const options: Readonly<Record<string, Option>> = { ...command.options, ...COMMON };
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      Object.entries(options).map(([name, { type, short }]) => [name, short ? { type, short } : { type }]),
    ),
    allowPositionals: true,
    strict: false,
    tokens: true,
  });

  const words: string[] = [];
  const rest: string[] = [];
  let terminated = false;
  const values = new Map<string, (string | boolean)[]>();
  for (const token of tokens) {
    if (token.kind === 'option-terminator') {
      terminated = true;
      continue;
    }
    if (token.kind === 'positional') {
      (terminated ? rest : words).push(token.value);
      continue;
    }
    const option = options[token.name];
    const problem = option
      ? optionProblem(token.rawName, option, token.value, token.inlineValue === true, values.has(token.name))
      : unknownOption(token.rawName, options);
    if (problem !== null) return { kind: 'fault', message: problem };
    values.set(token.name, [...(values.get(token.name) ?? []), token.value ?? true]);
  }
  const texts = (option: string) => (values.get(option) ?? []).filter((value) => typeof value === 'string');
  const given = {
    texts,
    text: (option: string) => texts(option)[0] ?? null,
    flag: (option: string) => values.has(option),
  };
  if (values.has('help')) return { kind: 'parsed', words, rest: null, ...given };

  const problem = wordsProblem(command, words, terminated && command.rest === undefined ? rest : []);
  if (problem !== null) return { kind: 'fault', message: problem };
  return { kind: 'parsed', words, rest: terminated ? rest : null, ...given };
}

function optionProblem(
  raw: string,
  option: Option,
  value: string | undefined,
  inline: boolean,
  repeated: boolean,
): string | null {
  if (option.type === 'boolean') return value === undefined ? null : `${raw} takes no value.`;
  // `--name --role executor` is a forgotten value; a value that begins with a dash is written `--name=-x`.
  if (value === undefined || (!inline && value.startsWith('-'))) {
    return `${raw} needs a value: ${raw} ${option.value ?? 'VALUE'}.`;
  }
  return repeated && !option.multiple ? `${raw} may be given once only.` : null;
}

function unknownOption(raw: string, options: Readonly<Record<string, Option>>): string {
  const hint = didYouMean(raw.replace(/^-+/, ''), Object.keys(options), (name) => `--${name}`);
  return `There is no option '${raw}'.${hint}`;
}

function wordsProblem(command: Command, words: readonly string[], stray: readonly string[]): string | null {
  const takes = command.takes ?? [];
  const required = takes.filter((name) => !name.endsWith('?'));
  const called = command.words.join(' ');
  const absent = required[words.length];
  if (absent !== undefined) return `'${called}' needs ${absent}. See: gatehouse ${called} --help`;
  const extra = words[takes.length] ?? stray[0];
  if (extra === undefined) return null;
  const hint = command.rest === undefined ? '' : ` Put -- before the command: gatehouse ${called} … -- ${extra} …`;
  return `'${called}' does not know what to do with '${extra}'.${hint}`;
}
