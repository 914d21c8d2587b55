import { hash } from 'node:crypto';
import type { PinView } from '../../../shared/model.ts';
import { redactArguments } from '../audit/redact.ts';
import { canonicalArguments, canonicalAt } from './canonical.ts';

/**
 * One argument whose value a standing approval is bound to. The value may be a secret, and what stands for longer is on
 * disk: only its digest is kept, and what may be shown of it.
 */
export interface Pin extends PinView {
  /** Of the id of the standing approval, the pointer and the canonical value: equal values of two approvals look unlike. */
  readonly digest: string;
}

/** Longest text of a pinned value that is shown, in characters. */
const SHOWN = 300;

/**
 * Pins of the arguments that were shown, or a sentence that says why they cannot be.
 *
 * @param pointers JSON pointers (RFC 6901); `''` pins the arguments as a whole.
 */
export function pinsOf(standing: string, argumentsText: string, pointers: readonly string[]): readonly Pin[] | string {
  const wanted = [...new Set(pointers)];
  if (wanted.length === 0) return 'Choose at least one argument whose value must stay the same.';
  const canonical = canonicalArguments(argumentsText);
  const pins: Pin[] = [];
  for (const pointer of wanted) {
    const value = canonicalAt(canonical, pointer);
    if (value === null) return `The call has no argument at ${pointer}, so its value cannot be required.`;
    pins.push({ pointer, digest: digestOf(standing, pointer, value), shown: shownValue(pointer, value) });
  }
  return pins;
}

/** Whether arguments have every pinned value. Members of an object may stand in any order; numbers count as written. */
export function fitsPins(standing: string, pins: readonly Pin[], argumentsText: string): boolean {
  const canonical = canonicalArguments(argumentsText);
  return pins.every(({ pointer, digest }) => {
    const value = canonicalAt(canonical, pointer);
    return value !== null && digestOf(standing, pointer, value) === digest;
  });
}

function digestOf(standing: string, pointer: string, value: string): string {
  return hash('sha256', JSON.stringify([standing, pointer, value]));
}

/** Redacted under its name, because the name of an argument tells a secret as well as its form does. */
function shownValue(pointer: string, value: string): string {
  const name = pointer.slice(pointer.lastIndexOf('/') + 1);
  const redacted =
    pointer === ''
      ? redactArguments(value).redacted
      : redactArguments(`{${JSON.stringify(name)}:${value}}`).redacted.slice(JSON.stringify(name).length + 2, -1);
  return redacted.length > SHOWN ? `${redacted.slice(0, SHOWN)}…` : redacted;
}
