/** `30s`, `5m`, `1h`, `1d` in milliseconds; null when it is none of these. */
export function spanMs(text: string): number | null {
  const [, count = '', unit = ''] = /^([1-9][0-9]{0,4})([smhd])$/.exec(text) ?? [];
  const ms = UNITS[unit];
  return ms === undefined ? null : Number(count) * ms;
}

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
