import type { LogFields } from './log.ts';

/** How many places in the code a log line names. */
const FRAMES = 6;

/**
 * What the log may say of a bug: its kind and where it is. Its message is left out, because messages quote what was
 * being read: `JSON.parse` quotes its input, and that may be arguments.
 */
export function faultFields(error: unknown): LogFields {
  if (!(error instanceof Error)) return { fault: typeof error };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const frames = (error.stack ?? '').split('\n').filter((line) => line.startsWith('    at '));
  const at = frames
    .slice(0, FRAMES)
    .map((line) => line.slice('    at '.length))
    .join(' < ');
  return { fault: error.name, code, at };
}
