import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { resolve } from 'node:path';
import { expandVariables } from '../diagnosis/variables.ts';
import type { Keychain } from '../platform.ts';

/** 32 bytes, or why there are none. `missing` alone allows a new key to be made. */
export type MasterKeyRead = { readonly kind: 'found'; readonly key: Buffer } | { readonly kind: 'missing' } | Refused;

type Refused = { readonly kind: 'locked' | 'absent' | 'lost'; readonly reason: string };

/** Where the vault's one key is kept. */
export interface MasterKeySource {
  readonly by: 'keychain' | 'file';
  /** For sentences: `the keychain`, or the path of the file. */
  readonly where: string;
  read(): Promise<MasterKeyRead>;
  /** Makes a new key. Only after `missing`, and only while nothing is sealed. */
  create(): Promise<Exclude<MasterKeyRead, { kind: 'missing' }>>;
  /** Removes what stands in the key's place and is none, so that one can be made; null when nothing is in the way. */
  discardUnreadable(): Promise<Refused | null>;
}

export function createMasterKeySource(parts: {
  readonly keychain: Keychain;
  readonly masterKeyFile: string | null;
}): MasterKeySource {
  return parts.masterKeyFile === null ? keychainSource(parts.keychain) : fileSource(parts.masterKeyFile);
}

/**
 * The key file that was named: `given`, null being none, else what GATEHOUSE_MASTER_KEY_FILE says. Set but empty is not
 * set, as service files leave it; a path with a variable that is not set is a fault and never another path.
 */
export function masterKeyPath(
  given: string | null | undefined,
  env: Readonly<Record<string, string | undefined>>,
): { readonly kind: 'path'; readonly path: string | null } | { readonly kind: 'fault'; readonly message: string } {
  if (given !== undefined) return { kind: 'path', path: given };
  const expanded = expandVariables(env[VARIABLE] ?? '', VARIABLE, env);
  if (expanded.kind === 'fault') return expanded;
  return { kind: 'path', path: expanded.text === '' ? null : resolve(expanded.text) };
}

const VARIABLE = 'GATEHOUSE_MASTER_KEY_FILE';

/** The keychain's item with the key in base64. */
export const MASTER_KEY_ITEM = 'master-key';
const WRITE_CHECK_ITEM = 'write-check';
const KEY_BYTES = 32;

const NOT_KEPT =
  'The keychain took the key and does not give it back, so secrets are not stored. Set GATEHOUSE_MASTER_KEY_FILE to a file only you can read.';
const UNREADABLE_ITEM =
  'The key in the keychain is not one of Gatehouse. Put the entry “master-key” of Gatehouse back from a backup, or begin with a new one: gatehouse secrets begin-anew';

function keychainSource(keychain: Keychain): MasterKeySource {
  async function read(): Promise<MasterKeyRead> {
    const answer = await keychain.read(MASTER_KEY_ITEM);
    if (answer.kind !== 'found') return answer.kind === 'missing' ? answer : refusal(answer);
    const key = parseKey(answer.value);
    return key ? { kind: 'found', key } : { kind: 'lost', reason: UNREADABLE_ITEM };
  }

  return {
    by: 'keychain',
    where: 'the keychain',
    read,
    async discardUnreadable() {
      const now = await read();
      if (now.kind !== 'lost') return now.kind === 'found' || now.kind === 'missing' ? null : now;
      const removed = await keychain.remove(MASTER_KEY_ITEM);
      return removed.kind === 'written' ? null : refusal(removed);
    },
    async create() {
      // Some keyrings hide their items while locked and would let a write replace a key that was only out of sight.
      // After another item could be written, the keyring is open, and what is missing then is really missing.
      const probe = await keychain.write(WRITE_CHECK_ITEM, 'written to see whether the keychain is unlocked');
      if (probe.kind !== 'written') return refusal(probe);
      await keychain.remove(WRITE_CHECK_ITEM);
      const there = await read();
      if (there.kind !== 'missing') return there;

      const written = await keychain.write(MASTER_KEY_ITEM, randomBytes(KEY_BYTES).toString('base64'));
      if (written.kind !== 'written') return refusal(written);
      // Read back, so that what seals is what the keychain really kept.
      const kept = await read();
      return kept.kind === 'missing' ? { kind: 'absent', reason: NOT_KEPT } : kept;
    },
  };
}

function refusal(answer: { readonly kind: 'locked' | 'absent'; readonly reason: string }): Refused {
  if (answer.kind === 'locked') return answer;
  const reason = answer.reason.replace(/\.$/, '');
  return { kind: 'absent', reason: `${reason}, or set GATEHOUSE_MASTER_KEY_FILE to a file only you can read.` };
}

/**
 * A file with the key in base64 or hex. It must be readable by its owner alone; the check is on the opened file, so that
 * nothing can be swapped in between. Windows has no such mode bits; there the person's folder protects it.
 */
function fileSource(path: string): MasterKeySource {
  const refuse = (why: string): Refused => ({
    kind: 'absent',
    reason: `The master key file ${path} (GATEHOUSE_MASTER_KEY_FILE) ${why}`,
  });

  async function read(): Promise<MasterKeyRead> {
    const file = await open(path, READ).catch((error: unknown) => codeOf(error));
    if (file === 'ENOENT') return { kind: 'missing' };
    if (typeof file === 'string') return refuse(`cannot be read (${file}). Make it readable for you.`);
    try {
      const stat = await file.stat();
      if (!stat.isFile()) return refuse('is not a file. Name a file.');
      if (process.platform !== 'win32' && (stat.mode & 0o077) !== 0) {
        return refuse('can be read by others, so it is not used. Run chmod 600 on it.');
      }
      if (stat.size > 4096) return refuse(CONTENT);
      const key = parseKey(await file.readFile('utf8'));
      return key ? { kind: 'found', key } : refuse(CONTENT);
    } finally {
      await file.close();
    }
  }

  return {
    by: 'file',
    where: path,
    read,
    // What is no key there is never lost but refused, and the sentence names the file.
    discardUnreadable: async () => null,
    async create() {
      // 'wx' with the mode at creation: never a moment in which others can read it, never over an existing file.
      const file = await open(path, 'wx', 0o600).catch((error: unknown) => codeOf(error));
      if (typeof file === 'string') return refuse(`cannot be made (${file}). Make its folder, or name another file.`);
      const fault = await fill(file).catch((error: unknown) => codeOf(error));
      await file.close();
      if (fault) {
        await unlink(path);
        return refuse(`cannot be written (${fault}). Make room, or name another file.`);
      }
      const kept = await read();
      return kept.kind === 'missing' ? refuse('vanished while it was made. Try again.') : kept;
    },
  };
}

const CONTENT =
  'does not hold a key: 32 bytes in base64 or hex. If there is nothing to lose, remove it and a new one is made.';

/** Opening a named pipe must not wait for a writer. Windows has no such flag. */
const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

async function fill(file: FileHandle): Promise<null> {
  // The umask can only take bits away; this puts the owner's back.
  await file.chmod(0o600);
  await file.writeFile(`${randomBytes(KEY_BYTES).toString('base64')}\n`);
  await file.sync();
  return null;
}

/** 32 bytes in hex, base64 or base64url, with white space around it. */
function parseKey(text: string): Buffer | null {
  const word = text.trim();
  if (/^[0-9a-f]{64}$/i.test(word)) return Buffer.from(word, 'hex');
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(word)) return null;
  const key = Buffer.from(word, 'base64');
  return key.length === KEY_BYTES ? key : null;
}

/** The system's code (`EACCES`, `ENOSPC` …). Anything without one is a bug and is thrown on. */
function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  throw error;
}
