import { randomBytes } from 'node:crypto';

/**
 * Carries the exact text of a call's arguments past the SDK, which would parse and re-write them. The SDK's message holds
 * a marker in their place; whoever writes the message to the wire replaces the marker by the text.
 */
export interface ArgumentMarkers {
  put(argumentsText: string): PlacedArguments;
  /** `serialized` is one whole message; what is no marker of ours in it stays as it is. */
  fill(serialized: string): string;
}

export interface PlacedArguments {
  /** Goes into the message as `params.arguments`. */
  readonly marker: Record<string, unknown>;
  /** Once the call has ended: nothing is replaced any more. */
  drop(): void;
}

export function createArgumentMarkers(): ArgumentMarkers {
  const texts = new Map<string, string>();
  return {
    put(argumentsText) {
      const token = randomBytes(16).toString('hex');
      texts.set(token, argumentsText);
      return { marker: { [`${PREFIX}${token}`]: 0 }, drop: () => void texts.delete(token) };
    },
    fill(serialized) {
      // A token nobody could know before the call: no text of a client or of a server can hold it.
      return serialized.replace(MARKER, (found, token: string) => texts.get(token) ?? found);
    },
  };
}

const PREFIX = 'gatehouse:arguments:';
const MARKER = /\{"gatehouse:arguments:([0-9a-f]{32})":0\}/g;
