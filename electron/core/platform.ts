/** What the core asks of the machine. `electron/desktop/platform.ts` is the desktop's; `nodePlatform` the plain one. */

/** Injected everywhere time matters, so that tests move it by hand. */
export interface Clock {
  /** Wall clock, milliseconds since 1970: for records and expiry dates that people read. */
  now(): number;
  /** Monotonic milliseconds: for every span that must not be stretched by setting the clock back. */
  monotonic(): number;
  /** Calls `then` once after `ms`; the returned function takes it back. Never keeps the process alive. */
  after(ms: number, then: () => void): () => void;
}

/**
 * The operating system's secret store. `absent` and `locked` are never the same as `missing`: whoever takes a locked
 * keychain for an empty one makes a new key and destroys the old data.
 */
export type KeychainRead =
  | { readonly kind: 'found'; readonly value: string }
  | { readonly kind: 'missing' }
  | { readonly kind: 'locked'; readonly reason: string }
  | { readonly kind: 'absent'; readonly reason: string };

export type KeychainWrite =
  | { readonly kind: 'written' }
  | { readonly kind: 'locked' | 'absent'; readonly reason: string };

export interface Keychain {
  read(item: string): Promise<KeychainRead>;
  write(item: string, value: string): Promise<KeychainWrite>;
  remove(item: string): Promise<KeychainWrite>;
}

/** A desktop notification: text only, shown as text. */
export interface Notice {
  readonly title: string;
  readonly body: string;
  /** Set when the notice is about one approval. */
  readonly approvalId: string | null;
}

export interface Platform {
  readonly mode: 'desktop' | 'headless';
  readonly dataFolder: string;
  readonly clock: Clock;
  readonly keychain: Keychain;
  /** Shows the person that something waits. Headless: does nothing. */
  notify(notice: Notice): void;
  /**
   * Shows a page in the person's browser, once they clicked; false: it could not be shown. Null where there is no browser
   * of theirs (headless): the link is shown instead.
   */
  readonly openBrowser: ((address: string) => Promise<boolean>) | null;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
