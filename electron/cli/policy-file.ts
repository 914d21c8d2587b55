import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Call } from './command.ts';
import { visible } from './untrusted.ts';

/** The text of the named file, `-` for stdin; null when it cannot be read, and that was said. */
export async function readYaml(call: Call, file = call.words[0] ?? ''): Promise<string | null> {
  if (file === '-') return text(call.stdin);
  try {
    return readFileSync(resolve(call.cwd, file), 'utf8');
  } catch (error) {
    call.terminal.say(`gatehouse: ${visible(file)} cannot be read: ${reasonOf(error)}.`);
    return null;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'it is not yours to read or write',
  EISDIR: 'it is a folder',
};

/** Why a file cannot be read or written, in a few words. */
export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  return REASONS[code] ?? code;
}
