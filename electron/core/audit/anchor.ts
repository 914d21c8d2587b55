import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Log } from '../diagnosis/log.ts';
import type { Clock, Keychain } from '../platform.ts';
import type { Head } from './entry.ts';

/**
 * The last head known to be durable, kept where somebody who can only write files cannot reach: what is missing from
 * the end of the log, or an older copy put in its place, is seen against it.
 */
export interface Anchor extends Head {
  /** Hash of the chain's first entry: which log this is. */
  readonly chain: string;
}

export type AnchorRead =
  | { readonly kind: 'found'; readonly anchor: Anchor }
  | { readonly kind: 'missing' }
  | { readonly kind: 'unavailable'; readonly reason: string };

/** At most this often. Milliseconds. */
export const ANCHOR_EVERY_MS = 60_000;

/** One item per data folder, because every Gatehouse of this person shares the keychain. */
export function anchorItem(folder: string): string {
  return `audit-head ${createHash('sha256').update(folder).digest('hex').slice(0, 12)}`;
}

export async function readAnchor(keychain: Keychain, folder: string): Promise<AnchorRead> {
  const answer = await keychain.read(anchorItem(folder));
  if (answer.kind === 'missing') return answer;
  if (answer.kind !== 'found') return { kind: 'unavailable', reason: answer.reason };
  try {
    return { kind: 'found', anchor: anchorSchema.parse(JSON.parse(answer.value)) };
  } catch {
    return { kind: 'unavailable', reason: 'The keychain entry that holds the head of the audit log is not readable.' };
  }
}

export interface Anchoring {
  /** A commit that is durable now. */
  durable(head: Anchor): void;
  /** Anchors what is not anchored yet. */
  flush(): Promise<void>;
}

export function createAnchoring(parts: {
  readonly keychain: Keychain;
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Log;
}): Anchoring {
  const { keychain, folder, clock, log } = parts;
  const item = anchorItem(folder);
  let latest: Anchor | null = null;
  let anchored: Anchor | null = null;
  let last = Number.NEGATIVE_INFINITY;
  let cancel: (() => void) | null = null;
  let writing: Promise<void> = Promise.resolve();

  function write(): Promise<void> {
    cancel?.();
    cancel = null;
    last = clock.monotonic();
    writing = writing.then(async () => {
      const head = latest;
      if (head === null || head === anchored) return;
      const answer = await keychain.write(item, JSON.stringify(head));
      // Not being able to anchor takes away a promise, not the record: verify says so.
      if (answer.kind === 'written') anchored = head;
      else if (answer.kind === 'locked') log.warn('audit_anchor_failed', { reason: answer.reason });
    });
    return writing;
  }

  return {
    durable(head) {
      latest = head;
      if (cancel !== null) return;
      const wait = last + ANCHOR_EVERY_MS - clock.monotonic();
      if (wait <= 0) void write();
      else cancel = clock.after(wait, () => void write());
    },
    flush: write,
  };
}

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const anchorSchema = z.object({ chain: sha256, seq: z.number().int().positive(), hash: sha256 });
