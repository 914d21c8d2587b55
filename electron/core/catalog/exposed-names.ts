import { createHash } from 'node:crypto';

/** 64, the shortest limit of a client, less `mcp__gatehouse` style prefixes and a margin. */
export const MAX_EXPOSED_NAME = 46;

/**
 * `<upstream>__<tool>` in `[A-Za-z0-9_]`, at most 46 characters, every other character as `_`. Where that is too long
 * or taken, the end gives way to `_` and eight hex digits of the hash of both names, so the same tool gets the same
 * name on every machine. `taken` is asked with the name in lower case: two names never differ in case alone. The two
 * underscores keep all of them apart from the gateway's own tools.
 */
export function exposedNameFor(upstream: string, tool: string, taken: (lowerCase: string) => boolean): string {
  const free = (name: string) => !taken(name.toLowerCase());
  const plain = `${asWord(upstream)}__${asWord(tool)}`;
  if (plain.length <= MAX_EXPOSED_NAME && free(plain)) return plain;
  for (let attempt = 0; ; attempt += 1) {
    const hash = shortHash(upstream, tool, attempt);
    const name = `${plain.slice(0, MAX_EXPOSED_NAME - hash.length - 1)}_${hash}`;
    if (free(name)) return name;
  }
}

const asWord = (name: string): string => name.replace(/[^A-Za-z0-9_]/gu, '_');

const shortHash = (upstream: string, tool: string, attempt: number): string =>
  createHash('sha256')
    .update(JSON.stringify(attempt === 0 ? [upstream, tool] : [upstream, tool, attempt]))
    .digest('hex')
    .slice(0, 8);
