import { COMMON, type Command, type Option } from './command.ts';

/** `gatehouse keys create [options]` */
export function usageOf(command: Command): string {
  const takes = (command.takes ?? []).map((name) => (name.endsWith('?') ? `[${name.slice(0, -1)}]` : `<${name}>`));
  const options = Object.keys(command.options ?? {}).length > 0 ? ['[options]'] : [];
  const rest = command.rest === undefined ? [] : [`[-- ${command.rest}]`];
  return ['gatehouse', ...command.words, ...takes, ...options, ...rest].join(' ');
}

/** The help of one command. */
export function helpOf(command: Command): string {
  const options = Object.entries({ ...command.options, ...COMMON }) as [string, Option][];
  return [
    command.summary,
    '',
    `  ${usageOf(command)}`,
    '',
    ...columns(options.map(([name, option]) => [optionUsage(name, option), option.help])),
  ].join('\n');
}

/** The list of commands: all of them, or those that begin with the same words. */
export function listOf(commands: readonly Command[], group: string | null): string {
  const shown = commands.filter((command) => group === null || `${command.words.join(' ')} `.startsWith(`${group} `));
  const heading = group === null ? 'Gatehouse: one MCP endpoint for every agent and every tool.' : `gatehouse ${group}`;
  return [
    heading,
    '',
    ...columns(shown.map((command) => [command.words.join(' '), command.summary])),
    '',
    'Options of a command: gatehouse <command> --help',
  ].join('\n');
}

function optionUsage(name: string, option: Option): string {
  const value = option.type === 'string' ? ` ${option.value ?? 'VALUE'}` : '';
  return `--${name}${value}${option.short ? `, -${option.short}` : ''}${option.multiple ? ' …' : ''}`;
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
