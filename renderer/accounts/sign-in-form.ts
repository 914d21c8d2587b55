import type { RequestInput } from '../../shared/api.ts';
import type {
  KeyPlace,
  OAuthPreset,
  RedirectSetting,
  SignIn,
  SignInMode,
  TokenAuth,
} from '../../shared/connections.ts';
import type { UpstreamTransport } from '../../shared/model.ts';
import { portOf, portProblem, portText } from './ports.ts';
import { hostOf } from './words.ts';

/** As typed. What one mode has in common with another stays when the mode is changed. */
export interface SignInForm {
  readonly kind: SignInMode;
  readonly keyIn: KeyPlace['in'];
  readonly keyName: string;
  readonly keyPrefix: string;
  readonly clientId: string;
  /** What was typed now; a secret that is kept is never here. */
  readonly secret: string;
  /** The secret that is kept is to be forgotten. */
  readonly dropsSecret: boolean;
  readonly scopes: string;
  readonly issuer: string;
  readonly authorizeUrl: string;
  readonly tokenUrl: string;
  readonly revokeUrl: string;
  readonly pkce: boolean;
  readonly tokenAuth: TokenAuth;
  readonly redirectHost: RedirectSetting['host'];
  readonly redirectPort: string;
  readonly allowNoPkce: boolean;
}

const EMPTY: SignInForm = {
  kind: 'none',
  keyIn: 'header',
  keyName: 'Authorization',
  keyPrefix: 'Bearer ',
  clientId: '',
  secret: '',
  dropsSecret: false,
  scopes: '',
  issuer: '',
  authorizeUrl: '',
  tokenUrl: '',
  revokeUrl: '',
  pkce: true,
  tokenAuth: 'auto',
  redirectHost: '127.0.0.1',
  redirectPort: '',
  allowNoPkce: false,
};

/** The modes that an upstream can have: a process signs in by itself, or with a key in its environment. */
export function modesOf({ kind }: UpstreamTransport): readonly SignInMode[] {
  if (kind === 'demo') return ['none'];
  return kind === 'stdio' ? ['none', 'api_key'] : ['mcp_oauth', 'oauth', 'api_key', 'client_credentials', 'none'];
}

export function formOf(signIn: SignIn, { kind }: UpstreamTransport): SignInForm {
  const form: SignInForm =
    kind === 'stdio'
      ? { ...EMPTY, keyIn: 'environment', keyName: '', kind: signIn.kind }
      : { ...EMPTY, kind: signIn.kind };
  switch (signIn.kind) {
    case 'none':
      return form;
    case 'api_key': {
      const { place } = signIn;
      const keyPrefix = place.in === 'header' ? place.prefix : '';
      return { ...form, keyIn: place.in, keyName: place.name, keyPrefix };
    }
    case 'mcp_oauth':
      return {
        ...form,
        ...redirectOf(signIn.redirect),
        clientId: signIn.clientId ?? '',
        scopes: (signIn.scopes ?? []).join(' '),
        issuer: signIn.issuer ?? '',
        allowNoPkce: signIn.allowNoPkce,
      };
    case 'oauth': {
      const { authorizeUrl, tokenUrl, revokeUrl, clientId, scopes, pkce, tokenAuth } = signIn;
      const addresses = { authorizeUrl, tokenUrl, revokeUrl: revokeUrl ?? '' };
      return {
        ...form,
        ...redirectOf(signIn.redirect),
        ...addresses,
        clientId,
        scopes: scopes.join(' '),
        pkce,
        tokenAuth,
      };
    }
    case 'client_credentials': {
      const { tokenUrl, clientId, scopes, tokenAuth } = signIn;
      return { ...form, tokenUrl: tokenUrl ?? '', clientId, scopes: scopes.join(' '), tokenAuth };
    }
  }
}

/** A vendor whose addresses are known, put into the form of classic OAuth. What the person typed of a client stays. */
export function withPreset(form: SignInForm, preset: OAuthPreset): SignInForm {
  const { authorizeUrl, tokenUrl, revokeUrl, scopes, pkce, tokenAuth } = preset;
  return {
    ...form,
    kind: 'oauth',
    authorizeUrl,
    tokenUrl,
    revokeUrl: revokeUrl ?? '',
    scopes: scopes.join(' '),
    pkce,
    tokenAuth,
  };
}

/** The vendor that an upstream's address belongs to: the one whose own domain it shares. */
export function presetFor(
  presets: readonly OAuthPreset[],
  { kind, ...transport }: UpstreamTransport,
): OAuthPreset | null {
  const host = kind === 'http' && 'url' in transport ? hostOf(transport.url) : null;
  if (host === null) return null;
  return presets.find(({ authorizeUrl }) => domainOf(hostOf(authorizeUrl)) === domainOf(host)) ?? null;
}

/** Whether a secret is kept that still belongs to the form as it is: it goes along to no other client and no other address. */
export function keepsSecret(form: SignInForm, before: SignIn): boolean {
  if (form.dropsSecret || !('clientSecret' in before) || !before.clientSecret) return false;
  const goesTo = form.kind === 'mcp_oauth' ? form.issuer : form.tokenUrl;
  const wentTo = before.kind === 'mcp_oauth' ? before.issuer : before.tokenUrl;
  return form.clientId.trim() === (before.clientId ?? '') && orNull(goesTo) === wentTo;
}

/** Why it cannot be saved like this, where no field says so itself; null when it can. */
export function isComplete(form: SignInForm): boolean {
  const areUrls = (...urls: readonly string[]) => urls.every((url) => hostOf(url) !== null);
  const isUrlOrNothing = (url: string) => url.trim() === '' || hostOf(url) !== null;
  switch (form.kind) {
    case 'none':
      return true;
    case 'api_key':
      return form.keyName.trim() !== '';
    case 'mcp_oauth':
      return portProblem(form.redirectPort) === null && isUrlOrNothing(form.issuer);
    case 'oauth':
      return (
        areUrls(form.authorizeUrl, form.tokenUrl) &&
        isUrlOrNothing(form.revokeUrl) &&
        form.clientId.trim() !== '' &&
        portProblem(form.redirectPort) === null
      );
    case 'client_credentials':
      return form.clientId.trim() !== '' && isUrlOrNothing(form.tokenUrl);
  }
}

/** What is to be saved. Without `clientSecret` a secret that is kept stays (security.md N4). */
export function inputOf(form: SignInForm, before: SignIn): Omit<RequestInput<'upstreamSignIn'>, 'upstream'> {
  const clientId = form.clientId.trim();
  const clientSecret = form.secret !== '' || keepsSecret(form, before);
  const secret = form.secret !== '' ? { clientSecret: form.secret } : form.dropsSecret ? { clientSecret: null } : {};
  const scopes = form.scopes.split(/[\s,]+/).filter(Boolean);
  const redirect = { host: form.redirectHost, port: portOf(form.redirectPort) };
  const { tokenAuth, pkce, allowNoPkce } = form;
  switch (form.kind) {
    case 'none':
      return { signIn: { kind: 'none' } };
    case 'api_key':
      return { signIn: { kind: 'api_key', place: placeOf(form) } };
    case 'mcp_oauth':
      return {
        signIn: {
          kind: 'mcp_oauth',
          clientId: clientId === '' ? null : clientId,
          clientSecret,
          scopes: scopes.length === 0 ? null : scopes,
          issuer: orNull(form.issuer),
          redirect,
          allowNoPkce,
        },
        ...secret,
      };
    case 'oauth':
      return {
        signIn: {
          kind: 'oauth',
          authorizeUrl: form.authorizeUrl.trim(),
          tokenUrl: form.tokenUrl.trim(),
          revokeUrl: orNull(form.revokeUrl),
          clientId,
          clientSecret,
          scopes,
          pkce,
          tokenAuth,
          redirect,
        },
        ...secret,
      };
    case 'client_credentials':
      return {
        signIn: {
          kind: 'client_credentials',
          tokenUrl: orNull(form.tokenUrl),
          clientId,
          clientSecret,
          scopes,
          tokenAuth,
        },
        ...secret,
      };
  }
}

function placeOf({ keyIn, keyName, keyPrefix }: SignInForm): KeyPlace {
  const name = keyName.trim();
  return keyIn === 'header' ? { in: 'header', name, prefix: keyPrefix } : { in: keyIn, name };
}

function redirectOf(redirect: RedirectSetting): Pick<SignInForm, 'redirectHost' | 'redirectPort'> {
  return { redirectHost: redirect.host, redirectPort: portText(redirect) };
}

function orNull(text: string): string | null {
  return text.trim() === '' ? null : text.trim();
}

/** `mcp.api.github.com` and `github.com` are one vendor's. Only to propose a preset, which the person then reads. */
function domainOf(host: string | null): string | null {
  return host === null ? null : (host.split(':')[0]?.split('.').slice(-2).join('.') ?? null);
}

/** The same, as a request takes it: its lists may be changed. */
export function mutable<T>(value: T): Mutable<T> {
  return structuredClone(value) as Mutable<T>;
}
type Mutable<T> = T extends object ? { -readonly [K in keyof T]: Mutable<T[K]> } : T;
