import type { NextStep, SignInCode } from '../../../shared/connections.ts';
import { PHRASES } from '../../../shared/errors.ts';
import type { SignInFault } from './authorization-server.ts';
import { plain } from './trace.ts';

/** What a sentence about a fault is made of. All but `detail` is foreign text, and is quoted and bounded here. */
export interface About {
  readonly upstream: string;
  /** The host or address in question. */
  readonly where?: string | null | undefined;
  /** The vendor's own words, such as its `error` and `error_description`. */
  readonly said?: string | null | undefined;
  /** More of ours: a whole sentence, with its full stop. */
  readonly detail?: string | null | undefined;
  /** What the person must register with the vendor, where that is the next step. */
  readonly redirectUri?: string | undefined;
}

/** The sentence and the next step of a fault. */
export function fault(code: SignInCode, about: About): SignInFault {
  const { sentence, act, text } = FAULTS[code];
  const upstream = plain(about.upstream, MOST_NAME);
  const where = about.where == null || about.where === '' ? null : plain(about.where, MOST_WHERE);
  const said = about.said == null || about.said === '' ? null : plain(about.said, MOST_SAID);
  const message = [sentence({ upstream, where: where ?? 'the vendor', said }), about.detail ?? null];
  return {
    kind: 'fault',
    code,
    message: message.filter((part) => part !== null).join(' '),
    next: { act, text: text(where ?? 'the vendor', about.redirectUri ?? null) },
  };
}

/** `error` and `error_description` of RFC 6749 as one text; null: neither. */
export function vendorWords(error: unknown, description: unknown): string | null {
  const words = [error, description].filter((word) => typeof word === 'string' && word !== '');
  return words.length === 0 ? null : words.join(': ');
}

interface Words {
  readonly upstream: string;
  readonly where: string;
  readonly said: string | null;
}

interface Entry {
  readonly sentence: (words: Words) => string;
  readonly act: NextStep['act'];
  readonly text: (where: string, redirectUri: string | null) => string;
}

function registerThere(where: string, redirectUri: string | null): string {
  const redirect = redirectUri === null ? '' : `, with the redirect address ${redirectUri}`;
  return `Register Gatehouse as an application with ${where}${redirect}. Then paste the client id that it gives you here.`;
}

const quoted = (said: string | null): string => (said === null ? '' : ` It says: "${said}".`);

/** The first three begin as the seed says them, word for word (design section 6). */
const FAULTS: Readonly<Record<SignInCode, Entry>> = {
  no_registration_endpoint: {
    sentence: ({ upstream, where }) =>
      `${PHRASES.setupFailed(upstream, 'no_registration_endpoint')}. ${where} does not register clients by itself.`,
    act: 'paste_client_id',
    text: (where, redirectUri) => registerThere(where, redirectUri),
  },
  dynamic_registration_failed: {
    sentence: ({ upstream, said }) =>
      `${PHRASES.setupFailed(upstream, 'dynamic_registration_failed')}: ${said ?? 'the vendor gave no reason.'}`,
    act: 'paste_client_id',
    text: (where, redirectUri) => registerThere(where, redirectUri),
  },
  no_protected_resource_metadata: {
    sentence: ({ upstream }) =>
      `${PHRASES.setupFailed(upstream, 'no_protected_resource_metadata')}. Nothing at its address says where accounts sign in.`,
    act: 'check_url',
    text: () =>
      'Check the address of the upstream. If it is right, the vendor uses classic OAuth or an API key: set that as its sign-in.',
  },
  no_server_metadata: {
    sentence: ({ upstream, where }) =>
      `${upstream} names ${where} as its authorization server, and that does not describe itself.`,
    act: 'use_classic_oauth',
    text: () => 'Set classic OAuth as the sign-in of the upstream, with the addresses that the vendor documents.',
  },
  issuer_mismatch: {
    sentence: ({ upstream, where }) =>
      `The sign-in of ${upstream} was stopped: an answer does not come from ${where}, which was asked. Nothing was sent to anyone else.`,
    act: 'ask_vendor',
    text: () =>
      'Try again once. If it happens again, tell the vendor: its servers disagree about their name, or somebody is between you.',
  },
  resource_mismatch: {
    sentence: ({ upstream, where }) =>
      `${upstream} describes itself as ${where}, which is not the address it was asked at.`,
    act: 'check_url',
    text: (where) => `Check the address of the upstream. If ${where} is the right one, use that.`,
  },
  pkce_unsupported: {
    sentence: ({ where }) =>
      `${where} does not say that it checks PKCE (S256), so a code that is caught on its way back could be used by somebody else.`,
    act: 'allow_no_pkce',
    text: () =>
      'If you trust the vendor nevertheless, allow sign-in without announced PKCE in the settings of the upstream.',
  },
  redirect_rejected: {
    sentence: ({ where, said }) => `${where} does not send the browser back to Gatehouse.${quoted(said)}`,
    act: 'set_redirect',
    text: () =>
      'Register the redirect address with the vendor, or set the host and port it expects in the settings of the upstream.',
  },
  redirect_unavailable: {
    sentence: ({ where }) => `Gatehouse cannot listen at ${where}, where the vendor is to send the browser.`,
    act: 'set_redirect',
    text: () =>
      'End the program that uses this port, or set another port for the redirect in the settings of the upstream.',
  },
  state_mismatch: {
    sentence: ({ upstream }) =>
      `The answer in the browser does not belong to this sign-in of ${upstream}. Nothing was taken from it.`,
    act: 'try_again',
    text: () => 'Sign in again, and use the page that opens then.',
  },
  access_denied: {
    sentence: ({ where, said }) => `${where} was told no, or does not allow it for this account.${quoted(said)}`,
    act: 'try_again',
    text: () => 'Sign in again and allow it, or ask whoever administers the account.',
  },
  authorization_failed: {
    sentence: ({ where, said }) => `${where} did not sign the account in.${quoted(said)}`,
    act: 'try_again',
    text: () => 'Sign in again. If it fails the same way, the vendor can say why.',
  },
  token_refused: {
    sentence: ({ where, said }) => `${where} gave no token for the sign-in.${quoted(said)}`,
    act: 'try_again',
    text: () => 'Sign in again. If it fails the same way, the vendor can say why.',
  },
  token_unusable: {
    sentence: ({ where }) => `${where} answered with a token that cannot be used.`,
    act: 'ask_vendor',
    text: () => 'Tell the vendor. Nothing of the answer was kept.',
  },
  client_refused: {
    sentence: ({ where, said }) => `${where} does not accept the client id or its secret.${quoted(said)}`,
    act: 'paste_client_id',
    text: (where) => `Check the client id and secret that ${where} shows for the application, and paste them here.`,
  },
  host_not_allowed: {
    sentence: ({ upstream, where }) =>
      `The sign-in of ${upstream} leads to ${where}, which is on this machine or in a private network. It was not contacted.`,
    act: 'allow_host',
    text: () =>
      'If the upstream is yours and this is meant, allow private addresses in its settings. If it is a public service, do not.',
  },
  insecure_address: {
    sentence: ({ upstream, where }) =>
      `The sign-in of ${upstream} leads to ${where}, which is not an https address. It was not opened.`,
    act: 'check_url',
    text: () =>
      'Check the address of the upstream and its sign-in settings. A vendor that has no https cannot be signed in to.',
  },
  unreachable: {
    sentence: ({ where }) => `${where} cannot be reached.`,
    act: 'try_again',
    text: () => 'Check the network and the address, then try again.',
  },
  too_large: {
    sentence: ({ where }) => `${where} answered with more than a sign-in can need. It was cut off.`,
    act: 'check_url',
    text: () => 'Check the address of the upstream: this does not look like an authorization server.',
  },
  timeout: {
    sentence: ({ where }) => `${where} did not finish its answer in time.`,
    act: 'try_again',
    text: () => 'Try again. If it stays slow, the vendor may have a problem.',
  },
  scope_refused: {
    sentence: ({ where, said }) => `${where} does not grant what was asked for.${quoted(said)}`,
    act: 'ask_vendor',
    text: () => 'Set fewer or other scopes in the settings of the upstream, or ask whoever administers the account.',
  },
  key_refused: {
    sentence: ({ upstream, said }) => `${upstream} does not accept the key.${quoted(said)}`,
    act: 'paste_key',
    text: () => 'Make a new key with the vendor and paste it here.',
  },
  secret_unavailable: {
    sentence: ({ upstream }) => `The secrets of ${upstream} cannot be read or kept now.`,
    act: 'unlock_keychain',
    text: () =>
      'Unlock the keychain of this computer, then try again. If its key is lost, begin with a new one first: gatehouse secrets begin-anew',
  },
  cancelled: {
    sentence: ({ upstream }) => `The sign-in of ${upstream} was cancelled.`,
    act: 'try_again',
    text: () => 'Sign in again whenever you like.',
  },
};

const MOST_NAME = 80;
const MOST_WHERE = 200;
const MOST_SAID = 300;
