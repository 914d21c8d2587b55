import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Call, Option } from './command.ts';
import { visible } from './untrusted.ts';

export const SECRET_FILE_OPTION = {
  'secret-file': { type: 'string', value: 'FILE', help: 'read the secret from this file instead of asking for it' },
} as const satisfies Record<string, Option>;

/** A secret from the file or asked for unseen; on the command line every program could read it. Null: none, and that was said. */
export async function readSecret(call: Call, what: string): Promise<string | null> {
  const { terminal } = call;
  const file = call.text('secret-file');
  if (file !== null) return readSecretFile(call, file);
  const value = await terminal.askSecret(`${what} (not shown): `);
  if (value !== null && value !== '') return value;
  const how = terminal.interactive ? '' : ' Write it on stdin, or give --secret-file FILE.';
  terminal.say(`gatehouse: No value was given for the ${what}; nothing was changed.${how}`);
  return null;
}

function readSecretFile({ cwd, terminal }: Call, file: string): string | null {
  try {
    // Editors end a file with a line feed that belongs to no secret.
    const value = readFileSync(resolve(cwd, file), 'utf8').replace(/\r?\n$/, '');
    if (value !== '') return value;
    terminal.say(`gatehouse: The file '${visible(file)}' is empty; nothing was changed.`);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    terminal.say(`gatehouse: The file '${visible(file)}' cannot be read (${code}); nothing was changed.`);
  }
  return null;
}
