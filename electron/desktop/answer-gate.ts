import type { Clock } from '../core/platform.ts';

/** A press by hand as the main process itself saw it arrive at one window, before the page did. */
export interface HandInput {
  readonly device: 'mouse' | 'touch' | 'Enter' | 'Space';
  readonly phase: 'down' | 'up';
}

export type GateVerdict =
  | { readonly kind: 'admitted' }
  | { readonly kind: 'refused'; readonly reason: 'other_card' | 'no_input' | 'too_soon' };

/**
 * Decides whether an answer from the approval window was given by a hand that could have seen the card (security.md F10,
 * F17). A script in the page can click and can call the preload, but it cannot make an input event reach the main process.
 */
export interface AnswerGate {
  /** The whole of this card was handed to the window; null: the window holds no card. The same card again changes nothing. */
  shown(card: string | null): void;
  /** The window came into sight: what it holds is seen from now on only. */
  appeared(): void;
  input(event: HandInput): void;
  /** Spends the last press on an answer about `card`; null: about something that is not shown. */
  admit(card: string | null): GateVerdict;
}

/** How long a card must have been in sight before a press on it counts, in milliseconds. */
export const SEEN_MS = 500;
/** How old a press may be when its answer arrives, in milliseconds. */
export const PRESS_MS = 1000;

export function createAnswerGate(clock: Clock): AnswerGate {
  let card: string | null = null;
  let seenFrom = Number.POSITIVE_INFINITY;
  let press: Press | null = null;

  return {
    shown(next) {
      if (next === card) return;
      card = next;
      seenFrom = clock.monotonic();
      press = null;
    },
    appeared() {
      seenFrom = clock.monotonic();
      press = null;
    },
    input({ device, phase }) {
      const now = clock.monotonic();
      if (phase === 'down') {
        // Enter acts when it goes down in plain HTML and when it comes up in React Aria; both are one press.
        press = { device, beganAt: now, actedAt: device === 'Enter' ? now : null, spent: false };
        return;
      }
      if (press?.device === device) press = { ...press, actedAt: now };
    },
    admit(named) {
      if (card === null || named !== card) return { kind: 'refused', reason: 'other_card' };
      if (press === null || press.spent || press.actedAt === null) return { kind: 'refused', reason: 'no_input' };
      // The press must have begun late enough: a key held down while the card came up was meant for something else.
      if (press.beganAt - seenFrom < SEEN_MS) return { kind: 'refused', reason: 'too_soon' };
      if (clock.monotonic() - press.actedAt > PRESS_MS) return { kind: 'refused', reason: 'no_input' };
      press = { ...press, spent: true };
      return { kind: 'admitted' };
    },
  };
}

interface Press {
  readonly device: HandInput['device'];
  readonly beganAt: number;
  readonly actedAt: number | null;
  readonly spent: boolean;
}
