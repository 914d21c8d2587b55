import type BetterSqlite3 from 'better-sqlite3';
import { faultFields } from '../diagnosis/fault.ts';
import type { Log } from '../diagnosis/log.ts';
import type { Clock } from '../platform.ts';
import type { Vault } from '../secrets/vault.ts';
import { faultOf } from '../store/database.ts';
import { codeOf } from '../store/files.ts';
import type { Presenting } from '../upstreams/credentials.ts';
import type { Connection } from './connection-table.ts';
import { type Grant, grantPlace, grantSchema, type Tokens } from './grant.ts';
import { renews } from './lifetime.ts';
import { isSame, misfit, presentedOf, type UpstreamFacts } from './presented.ts';
import type { Renewals } from './renewals.ts';
import { createTurns } from './turns.ts';

/** A grant that was read from the vault and fits, ready to go out with requests. */
export interface Held {
  readonly kind: 'held';
  readonly grant: Grant;
  readonly presenting: Extract<Presenting, { kind: 'presented' }>;
  /** As it was when the grant was found to fit. */
  readonly upstream: UpstreamFacts;
}

/** `locked` passes when the keychain is unlocked; for everything else the account is connected again. */
export interface Shut {
  readonly kind: 'shut';
  readonly why: 'locked' | 'lost' | 'misfit';
  readonly reason: string;
}

/** `later`: it was not possible now; what is held may still be good. */
export type Renewed = Held | Shut | { readonly kind: 'dead' | 'later' | 'unsaved'; readonly reason: string };

/** What is secret about accounts: in the vault, and decrypted in memory for as long as it is used. */
export interface Grants {
  /** From memory; null: not read yet, or the upstream is another one since. */
  held(connection: Connection, upstream: UpstreamFacts): Held | null;
  open(connection: Connection, upstream: UpstreamFacts): Promise<Held | Shut>;
  /** It was read from the vault, and is in memory. */
  isHeld(connectionId: string): boolean;
  /** Why it could not be read the last time. */
  shut(connectionId: string): Shut | null;
  /** The vault is open again: what it said before counts no more. */
  forgetShut(): void;
  /**
   * Once for everybody who wants it at the same time. The new tokens are on disk before anybody gets them; `stale` is what
   * was no longer good, and where something newer is known already, that is the answer. `isUrgent`: nothing works without
   * it, so a vendor that just stumbled is asked again after a moment.
   */
  renew(connection: Connection, upstream: UpstreamFacts, stale: Held, isUrgent: boolean): Promise<Renewed>;
  /** Durable when it resolves; the sentence says why it was not kept. Waits for a renewal that is under way. */
  keep(grant: Grant): Promise<string | null>;
  /** Nothing is presented from now on, and nothing is kept when it resolves; what was, for the vendor to revoke. */
  end(connectionId: string): Promise<Grant | null>;
  close(): void;
}

export interface GrantsParts {
  readonly db: BetterSqlite3.Database;
  readonly clock: Clock;
  readonly vault: Vault;
  readonly renewals: Renewals;
  readonly log: Log;
  /** After the new tokens are on disk. */
  renewed(connection: Connection, grant: Tokens): void;
  /** It is not read any more from memory: for what is only written down now and then. */
  released(connectionId: string, lastUsedAt: number): void;
}

export function createGrants(parts: GrantsParts): Grants {
  const { db, clock, vault, renewals, log } = parts;
  const cache = new Map<string, { readonly held: Held; usedAt: number; isUsed: boolean }>();
  const shut = new Map<string, Shut>();
  const opening = new Map<string, Promise<Held | Shut>>();
  const renewing = new Map<string, Promise<Renewed>>();
  /** New tokens that the disk did not take: presented to nobody before it does. */
  const unsaved = new Map<string, Tokens>();
  const waits = new Map<string, { readonly until: number; readonly times: number; readonly reason: string }>();
  const inTurn = createTurns();
  let cancelSweep: (() => void) | null = null;

  function release(connectionId: string): void {
    const entry = cache.get(connectionId);
    if (entry === undefined) return;
    cache.delete(connectionId);
    if (entry.isUsed) parts.released(connectionId, entry.usedAt);
  }

  function sweep(): void {
    cancelSweep = null;
    const now = clock.now();
    for (const [id, { usedAt }] of cache) if (Math.abs(now - usedAt) >= UNUSED_MS) release(id);
    if (cache.size > 0) cancelSweep = clock.after(UNUSED_MS / 2, sweep);
  }

  function hold(grant: Grant, upstream: UpstreamFacts): Held {
    const presenting = { kind: 'presented', presented: presentedOf(grant, upstream) } as const;
    const held: Held = { kind: 'held', grant, presenting, upstream };
    const before = cache.get(grant.connectionId);
    cache.set(grant.connectionId, { held, usedAt: clock.now(), isUsed: before?.isUsed ?? false });
    shut.delete(grant.connectionId);
    cancelSweep ??= clock.after(UNUSED_MS / 2, sweep);
    return held;
  }

  function heldNow(connection: Connection, upstream: UpstreamFacts): Held | null {
    const entry = cache.get(connection.id);
    if (entry === undefined) return null;
    const { held } = entry;
    if (held.upstream.transport !== upstream.transport || held.upstream.signIn !== upstream.signIn) return null;
    entry.usedAt = clock.now();
    entry.isUsed = true;
    return held;
  }

  async function read(connection: Connection, upstream: UpstreamFacts): Promise<Held | Shut> {
    const found = await load(connection.id);
    const unfit = found.kind === 'shut' ? found : misfit(connection, found.grant, upstream);
    if (unfit === null && found.kind === 'grant') return hold(found.grant, upstream);
    const closed: Shut =
      typeof unfit === 'object' && unfit !== null ? unfit : { kind: 'shut', why: 'misfit', reason: unfit ?? '' };
    shut.set(connection.id, closed);
    return closed;
  }

  async function load(connectionId: string): Promise<{ readonly kind: 'grant'; readonly grant: Grant } | Shut> {
    const secret = await vault.get(grantPlace(connectionId));
    if (secret.kind === 'missing') return { kind: 'shut', why: 'lost', reason: GONE };
    if (secret.kind === 'unavailable') {
      const { kind } = await vault.state();
      const isLocked = kind === 'locked' || kind === 'absent';
      return isLocked
        ? { kind: 'shut', why: 'locked', reason: secret.reason }
        : { kind: 'shut', why: 'lost', reason: lostWith(secret.reason) };
    }
    const parsed = grantSchema.safeParse(parsedJson(secret.value));
    if (!parsed.success) return { kind: 'shut', why: 'lost', reason: GONE };
    return { kind: 'grant', grant: parsed.data };
  }

  /** Null when it is on disk. */
  async function write(grant: Grant): Promise<string | null> {
    try {
      const written = await vault.put(grantPlace(grant.connectionId), JSON.stringify(grant));
      return written.kind === 'written' ? null : written.reason;
    } catch (error) {
      if (!codeOf(error).startsWith('SQLITE_')) throw error;
      log.error('grant_not_kept', { connection: grant.connectionId, ...faultFields(error) });
      return faultOf(error, db.name)?.message ?? UNWRITABLE;
    }
  }

  function putOff(connectionId: string, reason: string): Renewed {
    const times = (waits.get(connectionId)?.times ?? 0) + 1;
    const pause = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (times - 1));
    waits.set(connectionId, { until: clock.monotonic() + pause, times, reason });
    log.warn('grant_not_renewed', { connection: connectionId, times });
    return { kind: 'later', reason };
  }

  async function renewNow(
    connection: Connection,
    upstream: UpstreamFacts,
    stale: Held,
    isUrgent: boolean,
  ): Promise<Renewed> {
    const { id } = connection;
    const now = cache.get(id)?.held ?? (unsaved.has(id) ? stale : await read(connection, upstream));
    if (now.kind === 'shut' || !isSame(now.presenting.presented, stale.presenting.presented)) return now;
    const { grant } = now;
    if (grant.kind !== 'tokens' || !renews(grant)) return { kind: 'dead', reason: NOT_RENEWABLE };
    const wait = waits.get(id);
    const left = wait === undefined ? 0 : wait.until - clock.monotonic();
    if (wait !== undefined && left > (isUrgent ? PATIENCE_MS : 0)) return { kind: 'later', reason: wait.reason };
    if (left > 0) await new Promise<void>((resolve) => clock.after(left, resolve));
    if (!unsaved.has(id)) {
      // The old refresh token may be worthless once it is used: first see that the disk takes what comes in its place.
      const full = await write(grant);
      if (full !== null) return { kind: 'unsaved', reason: full };
      const renewal = await renewals.renew(upstream.id, grant);
      if (renewal.kind === 'dead') return { kind: 'dead', reason: renewal.message };
      if (renewal.kind === 'later') return putOff(id, renewal.message);
      unsaved.set(id, renewal.tokens);
    }
    waits.delete(id);
    return save(connection, upstream);
  }

  async function save(connection: Connection, upstream: UpstreamFacts): Promise<Renewed> {
    const tokens = unsaved.get(connection.id);
    if (tokens === undefined) return { kind: 'dead', reason: NOT_RENEWABLE };
    const full = await write(tokens);
    if (full !== null) return { kind: 'unsaved', reason: full };
    unsaved.delete(connection.id);
    const held = hold(tokens, upstream);
    parts.renewed(connection, tokens);
    return held;
  }

  return {
    held: heldNow,
    open(connection, upstream) {
      const found = heldNow(connection, upstream);
      if (found !== null) return Promise.resolve(found);
      const running = opening.get(connection.id);
      if (running !== undefined) return running;
      const reading = inTurn(connection.id, () => read(connection, upstream)).finally(() =>
        opening.delete(connection.id),
      );
      opening.set(connection.id, reading);
      return reading;
    },
    isHeld: (connectionId) => cache.has(connectionId),
    shut: (connectionId) => shut.get(connectionId) ?? null,
    forgetShut: () => shut.clear(),
    renew(connection, upstream, stale, isUrgent) {
      const running = renewing.get(connection.id);
      if (running !== undefined) return running;
      const run = inTurn(connection.id, () => renewNow(connection, upstream, stale, isUrgent)).finally(() =>
        renewing.delete(connection.id),
      );
      renewing.set(connection.id, run);
      return run;
    },
    keep: (grant) =>
      inTurn(grant.connectionId, async () => {
        const unwritten = await write(grant);
        if (unwritten !== null) return unwritten;
        const { connectionId } = grant;
        unsaved.delete(connectionId);
        waits.delete(connectionId);
        shut.delete(connectionId);
        release(connectionId);
        return null;
      }),
    end(connectionId) {
      release(connectionId);
      return inTurn(connectionId, async () => {
        const found = await load(connectionId);
        const last = unsaved.get(connectionId) ?? (found.kind === 'grant' ? found.grant : null);
        vault.remove(grantPlace(connectionId));
        for (const known of [unsaved, waits, shut]) known.delete(connectionId);
        release(connectionId);
        return last;
      });
    },
    close() {
      cancelSweep?.();
      for (const id of [...cache.keys()]) release(id);
    },
  };
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Read by the schema, which refuses it.
    return null;
  }
}

export const GONE = 'Its secret is not in the vault any more. Connect the account again.';
/** Of a fault of the database that passes by nothing the person can do; the log has more. */
export const UNWRITABLE = 'The settings database cannot be written now. The log has more.';
/** `reason` ends with what to do about the key. */
export const lostWith = (reason: string): string => `${reason.replace(/[.]?$/, '.')} Then connect the account again.`;
const NOT_RENEWABLE = 'Nothing was given to renew it with.';
const UNUSED_MS = 10 * 60_000;
const FIRST_WAIT_MS = 1_000;
const PATIENCE_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;
