import type { Clock } from '../platform.ts';
import { inWords, type UpstreamLimits } from './limits.ts';
import type { Link } from './link.ts';
import type { Listed, Listing } from './listing.ts';

interface RelistingParts {
  readonly name: string;
  readonly clock: Clock;
  readonly limits: UpstreamLimits;
  /** Reads a long list in turns, before it is taken in. */
  readAhead(listed: Listed): Promise<void>;
}

/** Reads the list of an upstream again when it says that it has changed. */
export interface Relisting {
  soon(): void;
  cancel(): void;
}

/** One listing for a burst of changes, and never two at a time. */
export function createRelisting(
  parts: RelistingParts,
  current: () => Link | null,
  done: (listing: Listing) => void,
): Relisting {
  let cancelTimer: (() => void) | null = null;
  let isListing = false;
  let isDirty = false;
  let isOver = false;

  async function list(): Promise<void> {
    cancelTimer = null;
    const link = current();
    if (link === null || isOver) return;
    isListing = true;
    isDirty = false;
    const listing = await listWithin(link, new AbortController().signal, parts);
    isListing = false;
    if (isOver) return;
    done(listing);
    if (isDirty) soon();
  }

  function soon(): void {
    if (isListing) isDirty = true;
    else cancelTimer ??= parts.clock.after(parts.limits.relistMs, () => void list());
  }

  return {
    soon,
    cancel() {
      isOver = true;
      cancelTimer?.();
    },
  };
}

/** One listing, given up after `limits.startMs`. */
export async function listWithin(
  link: Link,
  outer: AbortSignal,
  { clock, limits, name, readAhead }: RelistingParts,
): Promise<Listing> {
  const limit = new AbortController();
  const cancel = clock.after(limits.startMs, () => limit.abort('timeout'));
  try {
    const listing = await link.list(AbortSignal.any([outer, limit.signal]));
    if (listing.kind === 'listed') await readAhead(listing);
    if (listing.kind === 'listed' || !limit.signal.aborted) return listing;
    const message = `${name} was started, but it did not list its tools within ${inWords(limits.startMs)}.`;
    return { ...listing, errorClass: 'upstream_timeout', message };
  } finally {
    cancel();
  }
}
