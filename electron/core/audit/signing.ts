import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Keychain } from '../platform.ts';
import { privateFile } from '../store/files.ts';

/** The keychain's item, and the name of the file where there is no keychain: Ed25519 private key, PKCS #8 DER in base64. */
export const SIGNING_KEY = 'audit-signing-key';

export interface SigningKey {
  readonly privateKey: KeyObject;
  /** SubjectPublicKeyInfo DER (RFC 8410) in base64. */
  readonly publicKey: string;
  readonly keptIn: 'keychain' | 'file';
}

export type SigningKeyRead =
  | { readonly kind: 'found'; readonly key: SigningKey }
  | { readonly kind: 'missing' }
  /** One sentence with what to do. */
  | { readonly kind: 'unavailable'; readonly reason: string };

/** Reads the key and makes nothing. */
export async function readSigningKey(keychain: Keychain, folder: string): Promise<SigningKeyRead> {
  const answer = await keychain.read(SIGNING_KEY);
  switch (answer.kind) {
    case 'found':
      return found(answer.value, 'keychain');
    case 'missing':
      return { kind: 'missing' };
    case 'locked':
      return locked(answer.reason);
    case 'absent': {
      const path = join(folder, SIGNING_KEY);
      return existsSync(path) ? found(readFileSync(path, 'utf8'), 'file') : { kind: 'missing' };
    }
  }
}

/**
 * The key that signs this log; makes one where there is none. A locked keychain is never taken for an empty one: a new
 * key beside the old would look like a forger's.
 */
export async function signingKey(
  keychain: Keychain,
  folder: string,
): Promise<Exclude<SigningKeyRead, { kind: 'missing' }>> {
  const there = await readSigningKey(keychain, folder);
  if (there.kind !== 'missing') return there;
  const pair = generateKeyPairSync('ed25519');
  const value = pair.privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64');

  // Some keyrings hide their items while locked. After another item could be written, what is missing is missing.
  const probe = await keychain.write(WRITE_CHECK, 'written to see whether the keychain is unlocked');
  if (probe.kind === 'locked') return locked(probe.reason);
  if (probe.kind === 'absent') {
    const path = join(folder, SIGNING_KEY);
    if (existsSync(path)) return found(readFileSync(path, 'utf8'), 'file');
    privateFile(path);
    writeFileSync(path, `${value}\n`, { flush: true });
    return found(value, 'file');
  }
  await keychain.remove(WRITE_CHECK);
  const again = await keychain.read(SIGNING_KEY);
  if (again.kind === 'found') return found(again.value, 'keychain');
  if (again.kind !== 'missing') return locked(again.reason);
  const written = await keychain.write(SIGNING_KEY, value);
  if (written.kind !== 'written') return locked(written.reason);
  // Read back, so that what signs is what the keychain really kept.
  const kept = await keychain.read(SIGNING_KEY);
  if (kept.kind !== 'found') return locked('The keychain took the key of the audit log and does not give it back.');
  return found(kept.value, 'keychain');
}

/** First 16 hex digits of the SHA-256 of the public key's DER. */
export function keyId(publicKey: string): string {
  return createHash('sha256').update(Buffer.from(publicKey, 'base64')).digest('hex').slice(0, 16);
}

export function readPublicKey(publicKey: string): KeyObject | null {
  try {
    return createPublicKey({ key: Buffer.from(publicKey, 'base64'), format: 'der', type: 'spki' });
  } catch {
    return null;
  }
}

/** As other programs read it. */
export function pemOf(publicKey: string): string {
  return `-----BEGIN PUBLIC KEY-----\n${publicKey}\n-----END PUBLIC KEY-----\n`;
}

const WRITE_CHECK = 'write-check';

function locked(reason: string): { readonly kind: 'unavailable'; readonly reason: string } {
  return {
    kind: 'unavailable',
    reason: `The key that signs the audit log cannot be read, so nothing is recorded and no call runs. ${reason}`,
  };
}

function found(value: string, keptIn: SigningKey['keptIn']): Exclude<SigningKeyRead, { kind: 'missing' }> {
  try {
    const privateKey = createPrivateKey({ key: Buffer.from(value.trim(), 'base64'), format: 'der', type: 'pkcs8' });
    if (privateKey.asymmetricKeyType !== 'ed25519') throw new TypeError('another kind of key');
    const publicKey = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).toString('base64');
    return { kind: 'found', key: { privateKey, publicKey, keptIn } };
  } catch {
    const where = keptIn === 'keychain' ? 'the keychain entry' : 'the file';
    return {
      kind: 'unavailable',
      reason: `The audit log cannot be signed: ${where} “${SIGNING_KEY}” is not a key of Gatehouse. Put it back from a backup, or remove it; a new key is then made and the log says so.`,
    };
  }
}
