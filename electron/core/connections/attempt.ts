import type { ConnectionView, SignInView } from '../../../shared/connections.ts';
import type { UpstreamView } from '../../../shared/model.ts';
import type { SignInFault } from './authorization-server.ts';
import type { Stray } from './redirect.ts';
import type { Trace } from './trace.ts';

/** What the person answers, by the state in which a sign-in asks it. */
export interface Answers {
  /** The issuer of one of the servers shown. */
  readonly choose_server: string;
  readonly needs_client_id: { readonly clientId: string; readonly clientSecret: string | null };
  readonly confirm_scopes: 'confirmed';
}

/** What a sign-in shows beside its state. */
export type Shown = Partial<
  Pick<SignInView, 'link' | 'servers' | 'scopes' | 'newScopes' | 'redirectUri' | 'message' | 'next'>
>;

/** One sign-in under way, as the steps of its mode see it. */
export interface Attempt {
  /** As it was at the start. */
  readonly upstream: UpstreamView;
  readonly label: string;
  /** The account that is renewed; null: a new one. */
  readonly connection: ConnectionView | null;
  /** The API key, where that is the mode. */
  readonly secret: string | null;
  /** Aborted when it is over: the person cancelled it, began another, or its time ran out. */
  readonly signal: AbortSignal;
  readonly trace: Trace;
  show(shown: Shown): void;
  /** Waits for the person; null: it is over. */
  ask<S extends keyof Answers>(state: S, shown: Shown): Promise<Answers[S] | null>;
  /** The vendor's page is to be opened now. Its time begins. */
  waiting(link: string): void;
  /** The browser came back: nothing is waited for any more. */
  returned(): void;
  /** Somebody else came to the redirect address: it goes on, and says so. */
  stray(why: Stray): void;
  /** From now on it ends by itself alone: the account is about to be kept. False: it is over, and nothing is to be kept. */
  keeping(): boolean;
  /** How it ended, once it did. */
  readonly over: Promise<SignInView>;
}

export type Ending = { readonly kind: 'connected'; readonly connection: ConnectionView } | SignInFault;

/** The steps of one mode, from the click to the connection. What it resolves with after `signal` is of no account. */
export type Procedure = (attempt: Attempt) => Promise<Ending>;
