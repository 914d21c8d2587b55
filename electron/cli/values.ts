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

const UNITS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
};

/** `90d`, `12h`, `50s` in milliseconds; null when it is none. */
export function parseSpan(text: string): number | null {
  const match = /^(\d{1,6})(s|m|h|d|w)$/.exec(text.trim());
  const unit = UNITS[match?.[2] ?? ''];
  return match?.[1] === undefined || unit === undefined ? null : Number(match[1]) * unit;
}
