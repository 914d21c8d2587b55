import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../core/platform.ts';

const LINK_LIFE_MS = 10 * 60_000;
const LINKS_AT_MOST = 32;
const BROWSERS_AT_MOST = 16;
const TABS_AT_MOST = 32;
const WRONG_LINKS_AT_MOST = 10;
const WRONG_LINKS_WITHIN_MS = 60_000;

export type Exchange =
  | { readonly kind: 'signed_in'; readonly cookie: string; readonly token: string }
  /** Unknown, used or older than ten minutes: the caller is told no more. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'too_many'; readonly retryAfterSeconds: number };

/** One tab of one browser. The object itself is its identity: a live stream remembers it to end with it. */
export interface Tab {
  readonly tokenHash: Buffer;
}

/**
 * Who may use the dashboard. A cookie alone opens nothing, because browsers share cookies between all ports of
 * 127.0.0.1; each tab also holds a token of its own in `sessionStorage`. Only hashes are kept, in memory only: a restart
 * signs everybody out.
 */
export interface SignIn {
  /** A token for a one-time link: single use, ten minutes. */
  mintLink(): string;
  /** `cookie` is the one the browser sent: a second tab joins its browser instead of ending the first tab. */
  exchange(linkToken: string, cookie: string | undefined): Exchange;
  /** The tab that both belong to, or null. */
  tab(cookie: string | undefined, token: string | undefined): Tab | null;
  signOut(tab: Tab): void;
  /** Told of each tab that was signed out: its live stream ends. */
  onEnd(listener: (tab: Tab) => void): () => void;
}

export function createSignIn({ clock }: { readonly clock: Clock }): SignIn {
  const links: { readonly hash: Buffer; readonly until: number }[] = [];
  const browsers: { readonly cookieHash: Buffer; readonly tabs: Tab[] }[] = [];
  const listeners = new Set<(tab: Tab) => void>();
  let wrong: number[] = [];

  const end = (tabs: readonly Tab[]) => {
    for (const tab of tabs) for (const listener of listeners) listener(tab);
  };
  const browserOf = (cookie: string | undefined) => {
    if (!cookie) return undefined;
    const hash = hashOf(cookie);
    return browsers.find((browser) => timingSafeEqual(browser.cookieHash, hash));
  };
  const redeem = (linkToken: string): boolean => {
    const now = clock.monotonic();
    const hash = hashOf(linkToken);
    const at = links.findIndex((link) => timingSafeEqual(link.hash, hash));
    if (at < 0) return false;
    const [link] = links.splice(at, 1);
    return link !== undefined && now <= link.until;
  };

  return {
    mintLink() {
      const token = random();
      links.push({ hash: hashOf(token), until: clock.monotonic() + LINK_LIFE_MS });
      if (links.length > LINKS_AT_MOST) links.shift();
      return token;
    },

    exchange(linkToken, cookie) {
      // A right link always works: otherwise any program could lock the person out by guessing.
      if (!redeem(linkToken)) {
        const now = clock.monotonic();
        wrong = wrong.filter((at) => now - at < WRONG_LINKS_WITHIN_MS);
        if (wrong.length >= WRONG_LINKS_AT_MOST) {
          const oldest = wrong[0] ?? now;
          return { kind: 'too_many', retryAfterSeconds: Math.ceil((oldest + WRONG_LINKS_WITHIN_MS - now) / 1000) };
        }
        wrong.push(now);
        return { kind: 'refused' };
      }
      const token = random();
      const tab: Tab = { tokenHash: hashOf(token) };
      const known = browserOf(cookie);
      if (known && cookie) {
        known.tabs.push(tab);
        if (known.tabs.length > TABS_AT_MOST) end(known.tabs.splice(0, 1));
        return { kind: 'signed_in', cookie, token };
      }
      const fresh = random();
      browsers.push({ cookieHash: hashOf(fresh), tabs: [tab] });
      if (browsers.length > BROWSERS_AT_MOST) end(browsers.shift()?.tabs ?? []);
      return { kind: 'signed_in', cookie: fresh, token };
    },

    tab(cookie, token) {
      const browser = browserOf(cookie);
      if (!browser || !token) return null;
      const hash = hashOf(token);
      return browser.tabs.find((tab) => timingSafeEqual(tab.tokenHash, hash)) ?? null;
    },

    signOut(tab) {
      for (const browser of browsers) {
        const at = browser.tabs.indexOf(tab);
        if (at < 0) continue;
        browser.tabs.splice(at, 1);
        if (browser.tabs.length === 0) browsers.splice(browsers.indexOf(browser), 1);
        end([tab]);
        return;
      }
    },

    onEnd(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function random(): string {
  return randomBytes(32).toString('base64url');
}

/** All compared values have one length, so `timingSafeEqual` never throws whatever was sent. */
function hashOf(value: string): Buffer {
  return createHash('sha256').update(value, 'utf8').digest();
}
