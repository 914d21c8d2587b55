/** Spans and sizes as people write and read them: the command line and the screens alike. */

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

/** `5m`, as `parseSpan` reads it. */
export function spanInWords(ms: number): string {
  for (const unit of ['d', 'h', 'm'] as const)
    if (ms > 0 && ms % (UNITS[unit] ?? 1) === 0) return `${ms / (UNITS[unit] ?? 1)}${unit}`;
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`;
}

/** `512KB`, `20MB`, `2GB` or plain bytes; 1 KB is 1024 bytes. Null when it is none. */
export function parseSize(text: string): number | null {
  const match = /^(\d{1,9})(KB|MB|GB|)$/i.exec(text.trim());
  if (match?.[1] === undefined) return null;
  return (
    Number(match[1]) * ({ KB: 1024, MB: 1024 * 1024, GB: 1024 * 1024 * 1024 }[(match[2] ?? '').toUpperCase()] ?? 1)
  );
}

export function sizeInWords(bytes: number): string {
  if (bytes % (1024 * 1024) === 0) return `${bytes / 1024 / 1024}MB`;
  return bytes % 1024 === 0 ? `${bytes / 1024}KB` : String(bytes);
}
