import type { Bridge } from '../shared/api.ts';
import { openHttpBridge } from './http-bridge.ts';

/** A bridge, and whether it reaches the core right now. */
export interface Connection {
  readonly bridge: Bridge;
  /** Calls `then` at once and at every change. `false`: what the screens show may be old. */
  onConnected(then: (connected: boolean) => void): () => void;
  /** Calls `then` when the core no longer knows this tab. */
  onSignedOut(then: () => void): () => void;
  /** Dashboard only. */
  signOut?(): Promise<void>;
}

export type Opened =
  | { readonly kind: 'open'; readonly connection: Connection }
  /** Dashboard without a sign-in; `message` says why when a link was tried. */
  | { readonly kind: 'signed_out'; readonly message: string | null };

/** A request that did not get through, in a sentence for the person. */
export class BridgeError extends Error {
  override readonly name = 'BridgeError';
}

declare global {
  interface Window {
    /** Put there by Electron's preload. */
    readonly gatehouse?: Bridge;
  }
}

/** The preload's bridge where there is one, else HTTP to the dashboard's own origin. */
export async function openBridge(): Promise<Opened> {
  const { gatehouse } = window;
  if (!gatehouse) return openHttpBridge();
  const connection: Connection = {
    bridge: gatehouse,
    onConnected(then) {
      then(true);
      return () => {};
    },
    onSignedOut: () => () => {},
  };
  return { kind: 'open', connection };
}
