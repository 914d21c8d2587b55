import type { Call } from './command.ts';

/** `a,b` as given once or several times; null when the option was not given. */
export function listOption(call: Call, option: string): string[] | null {
  const given = call.texts(option);
  if (given.length === 0) return null;
  return given
    .flatMap((text) => text.split(','))
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
