import type { RequestInput } from '../../shared/api.ts';
import type { OAuthPreset, RedirectSetting, SignIn, SignInMode, TokenAuth } from '../../shared/connections.ts';
import type { UpstreamView } from '../../shared/model.ts';
import { type Call, type Command, type Option, WORKSPACE_OPTION } from './command.ts';
import { findUpstream } from './names.ts';
import { didYouMean } from './nearest.ts';
import { readSecret, SECRET_FILE_OPTION } from './secret-option.ts';
import { table } from './terminal.ts';
import { visible } from './untrusted.ts';
import { listOption } from './values.ts';

type Wanted = RequestInput<'upstreamSignIn'>['signIn'];

const MODES: Readonly<Record<string, SignInMode>> = {
  none: 'none',
  'api-key': 'api_key',
  'mcp-oauth': 'mcp_oauth',
  oauth: 'oauth',
  'client-credentials': 'client_credentials',
};

const CLIENT = ['mcp_oauth', 'oauth', 'client_credentials'] as const;

/** Every option, and the modes that it goes with. */
const OPTIONS = {
  'key-header': option(['api_key'], 'NAME', 'api-key: the header it goes into, such as Authorization'),
  'key-prefix': option(['api_key'], 'TEXT', "api-key: what stands before it in the header, such as 'Bearer '"),
  'key-query': option(['api_key'], 'NAME', 'api-key: the parameter of the address it goes into'),
  'key-env': option(['api_key'], 'NAME', 'api-key: the environment entry of the process it goes into'),
  preset: option(['oauth'], 'VENDOR', 'oauth: take the addresses of a vendor that is known'),
  'authorize-url': option(['oauth'], 'URL', 'oauth: where the browser is sent'),
  'token-url': option(['oauth', 'client_credentials'], 'URL', 'where tokens are given out'),
  'revoke-url': option(['oauth'], 'URL', 'oauth: where tokens are ended, or none'),
  pkce: option(['oauth'], 'yes|no', 'oauth: whether the vendor takes PKCE; else yes'),
  'client-id': option(CLIENT, 'ID', 'a client id of yours, or auto (mcp-oauth) to get one again'),
  'client-secret': { ...option(CLIENT, '', 'it has a secret: it is asked, never typed here'), type: 'boolean' },
  'forget-secret': { ...option(CLIENT, '', 'forget the client secret that is kept'), type: 'boolean' },
  scopes: { ...option(CLIENT, 'S', 'scopes, with commas between, or auto: what the server asks for'), multiple: true },
  server: option(['mcp_oauth'], 'URL', 'mcp-oauth: which of several authorization servers, or auto'),
  redirect: option(['mcp_oauth', 'oauth'], 'HOST[:PORT]', '127.0.0.1 or localhost, and a fixed port if one is needed'),
  'allow-no-pkce': option(['mcp_oauth'], 'yes|no', 'mcp-oauth: sign in although the vendor does not promise PKCE'),
  'token-auth': option(
    ['oauth', 'client_credentials'],
    'HOW',
    'auto, basic, post or none: how the client proves itself',
  ),
} as const satisfies Record<string, Option & { readonly goesWith: readonly SignInMode[] }>;

type Name = keyof typeof OPTIONS;

/** `upstreams sign-in`: how accounts sign in at an upstream; what is not named stays as it is. */
export const signInMode: Command = {
  words: ['upstreams', 'sign-in'],
  summary: 'set how accounts sign in at an upstream; without options, show it',
  takes: ['name'],
  options: {
    mode: { type: 'string', value: 'MODE', help: `${Object.keys(MODES).join(', ')}` },
    ...OPTIONS,
    ...SECRET_FILE_OPTION,
    ...WORKSPACE_OPTION,
  },
  async run(call) {
    const door = await call.door();
    const upstream = door && (await findUpstream(call, door, call.words[0] ?? ''));
    if (!door || !upstream) return 1;
    const given = (Object.keys(OPTIONS) as Name[]).filter((name) => isGiven(call, name));
    if (call.text('mode') === null && given.length === 0) {
      for (const line of table(['SIGN-IN', 'NOW'], rowsOf(upstream.signIn))) call.terminal.print(line);
      return 0;
    }
    const presets = call.text('preset') === null ? [] : await door.ask('presetsList', {});
    if (!presets) return 1;
    const signIn = wantedOf(call, upstream, given, presets);
    if (typeof signIn === 'string') {
      call.terminal.say(`gatehouse: ${signIn}`);
      return 1;
    }
    const asksSecret = call.flag('client-secret') || call.text('secret-file') !== null;
    const secret = asksSecret ? await readSecret(call, 'client secret') : undefined;
    if (secret === null) return 1;
    const changed = await door.ask('upstreamSignIn', {
      upstream: upstream.id,
      signIn,
      ...(secret !== undefined ? { clientSecret: secret } : call.flag('forget-secret') ? { clientSecret: null } : {}),
    });
    if (!changed) return 1;
    const next = signIn.kind === 'none' ? '' : ` To connect an account: gatehouse upstreams connect ${upstream.name}`;
    call.terminal.say(`How accounts sign in at ${upstream.name} is set.${next}`);
    return 0;
  },
};

/** What the options make of the sign-in as it is, or what is wrong with them in a sentence. */
function wantedOf(
  call: Call,
  upstream: UpstreamView,
  given: readonly Name[],
  presets: readonly OAuthPreset[],
): Wanted | string {
  const before = upstream.signIn;
  const text = call.text('mode') ?? (call.text('preset') === null ? null : 'oauth');
  const kind = text === null ? before.kind : Object.hasOwn(MODES, text) ? MODES[text] : undefined;
  if (kind === undefined) return `--mode is '${visible(text ?? '')}'; it must be ${Object.keys(MODES).join(', ')}.`;
  const stray = given.find((name) => !(OPTIONS[name].goesWith as readonly SignInMode[]).includes(kind));
  if (stray !== undefined) {
    const modes = OPTIONS[stray].goesWith.map((mode) => mode.replace('_', '-')).join(' or ');
    return `--${stray} goes with --mode ${modes}, and the mode is ${kind.replace('_', '-')}.`;
  }
  switch (kind) {
    case 'none':
      return { kind };
    case 'api_key':
      return apiKey(call, upstream);
    case 'mcp_oauth':
      return mcpOauth(call, before);
    case 'oauth':
      return classic(call, before, presets);
    case 'client_credentials':
      return credentials(call, before);
  }
}

function apiKey(call: Call, { signIn, transport }: UpstreamView): Wanted | string {
  const [header, query, environment] = [call.text('key-header'), call.text('key-query'), call.text('key-env')];
  const prefix = call.text('key-prefix');
  const before = signIn.kind === 'api_key' ? signIn.place : null;
  if ([header, query, environment].filter((one) => one !== null).length > 1)
    return 'Give one of --key-header, --key-query and --key-env.';
  if (environment !== null) return { kind: 'api_key', place: { in: 'environment', name: environment } };
  if (query !== null) return { kind: 'api_key', place: { in: 'query', name: query } };
  if (header === null && prefix === null && before !== null) return { kind: 'api_key', place: before };
  if (header === null && transport.kind === 'stdio')
    return 'A process gets its key in its environment: give --key-env NAME.';
  const known = before?.in === 'header' ? before : { name: 'Authorization', prefix: 'Bearer ' };
  // Another header than before has its own prefix, or none.
  const usual = header === null || header.toLowerCase() === known.name.toLowerCase() ? known.prefix : '';
  return { kind: 'api_key', place: { in: 'header', name: header ?? known.name, prefix: prefix ?? usual } };
}

function mcpOauth(call: Call, signIn: SignIn): Wanted | string {
  const before = signIn.kind === 'mcp_oauth' ? signIn : null;
  const redirect = redirectOf(call, before?.redirect);
  if (typeof redirect === 'string') return redirect;
  const allowNoPkce = yesOrNo(call, 'allow-no-pkce', before?.allowNoPkce ?? false);
  if (typeof allowNoPkce === 'string') return allowNoPkce;
  const scopes = listOption(call, 'scopes');
  const kept = before?.scopes ?? null;
  return {
    kind: 'mcp_oauth',
    clientId: orAuto(call.text('client-id'), before?.clientId ?? null),
    clientSecret: before?.clientSecret ?? false,
    scopes: scopes === null ? (kept === null ? null : [...kept]) : isAuto(scopes) ? null : scopes,
    issuer: orAuto(call.text('server'), before?.issuer ?? null),
    redirect,
    allowNoPkce,
  };
}

function classic(call: Call, signIn: SignIn, presets: readonly OAuthPreset[]): Wanted | string {
  const wanted = call.text('preset');
  const preset = presets.find(({ name }) => name.toLowerCase() === wanted?.toLowerCase());
  if (wanted !== null && preset === undefined) {
    const names = presets.map(({ name }) => name);
    return `There is no preset '${visible(wanted)}'.${didYouMean(wanted, names)} There are: ${names.join(', ')}.`;
  }
  const known = preset ?? (signIn.kind === 'oauth' ? signIn : null);
  const before = signIn.kind === 'oauth' ? signIn : null;
  const authorizeUrl = call.text('authorize-url') ?? known?.authorizeUrl;
  const tokenUrl = call.text('token-url') ?? known?.tokenUrl;
  const clientId = call.text('client-id') ?? clientIdOf(signIn);
  if (authorizeUrl === undefined || tokenUrl === undefined)
    return 'Classic OAuth needs --authorize-url and --token-url, or --preset VENDOR.';
  if (clientId === null) {
    const where = preset === undefined ? 'with the vendor' : `at ${preset.registerAt}`;
    return `Classic OAuth needs a client: register one ${where}, and give its id with --client-id ID.`;
  }
  const redirect = redirectOf(call, before?.redirect);
  if (typeof redirect === 'string') return redirect;
  const tokenAuth = tokenAuthOf(call, known?.tokenAuth);
  if (tokenAuth === null) return TOKEN_AUTH_PROBLEM;
  const pkce = yesOrNo(call, 'pkce', known?.pkce ?? true);
  if (typeof pkce === 'string') return pkce;
  const revokeUrl = call.text('revoke-url') ?? known?.revokeUrl ?? null;
  return {
    kind: 'oauth',
    authorizeUrl,
    tokenUrl,
    revokeUrl: revokeUrl === 'none' ? null : revokeUrl,
    clientId,
    clientSecret: before?.clientSecret ?? false,
    scopes: listOption(call, 'scopes') ?? [...(known?.scopes ?? [])],
    pkce,
    tokenAuth,
    redirect,
  };
}

function credentials(call: Call, signIn: SignIn): Wanted | string {
  const before = signIn.kind === 'client_credentials' ? signIn : null;
  const clientId = call.text('client-id') ?? clientIdOf(signIn);
  if (clientId === null) return 'Client credentials need a client: give its id with --client-id ID.';
  const tokenAuth = tokenAuthOf(call, before?.tokenAuth);
  if (tokenAuth === null) return TOKEN_AUTH_PROBLEM;
  return {
    kind: 'client_credentials',
    tokenUrl: orAuto(call.text('token-url'), before?.tokenUrl ?? null),
    clientId,
    clientSecret: before?.clientSecret ?? false,
    scopes: listOption(call, 'scopes') ?? [...(before?.scopes ?? [])],
    tokenAuth,
  };
}

function redirectOf(call: Call, before: RedirectSetting | undefined): RedirectSetting | string {
  const text = call.text('redirect');
  if (text === null) return before ?? { host: '127.0.0.1', port: null };
  const [host = '', port] = text.split(':');
  const isPort = port === undefined || (/^\d{4,5}$/.test(port) && Number(port) >= 1024 && Number(port) <= 65_535);
  if ((host !== '127.0.0.1' && host !== 'localhost') || !isPort || text.split(':').length > 2)
    return `--redirect is '${visible(text)}'; give 127.0.0.1 or localhost, and perhaps a port from 1024 to 65535: localhost:8765.`;
  return { host, port: port === undefined ? null : Number(port) };
}

const TOKEN_AUTHS: readonly TokenAuth[] = ['auto', 'basic', 'post', 'none'];
const TOKEN_AUTH_PROBLEM = `--token-auth must be ${TOKEN_AUTHS.join(', ')}.`;

function tokenAuthOf(call: Call, before: TokenAuth | undefined): TokenAuth | null {
  const text = call.text('token-auth') ?? before ?? 'auto';
  return TOKEN_AUTHS.find((one) => one === text) ?? null;
}

function yesOrNo(call: Call, name: 'pkce' | 'allow-no-pkce', before: boolean): boolean | string {
  const text = call.text(name) ?? (before ? 'yes' : 'no');
  return text === 'yes' || text === 'no' ? text === 'yes' : `--${name} is '${visible(text)}'; it must be yes or no.`;
}

function clientIdOf(signIn: SignIn): string | null {
  return 'clientId' in signIn ? signIn.clientId : null;
}

function orAuto(text: string | null, before: string | null): string | null {
  return text === null ? before : text === 'auto' ? null : text;
}

function isAuto(scopes: readonly string[]): boolean {
  return scopes.length === 1 && scopes[0] === 'auto';
}

function isGiven(call: Call, name: Name): boolean {
  return call.text(name) !== null || call.flag(name);
}

/** The mode and everything of it, in the words of the options. */
function rowsOf(signIn: SignIn): string[][] {
  const mode = ['mode', Object.keys(MODES).find((name) => MODES[name] === signIn.kind) ?? signIn.kind];
  switch (signIn.kind) {
    case 'none':
      return [mode];
    case 'api_key': {
      const { place } = signIn;
      const option = { header: 'key-header', query: 'key-query', environment: 'key-env' }[place.in];
      return [mode, [option, place.name], ...(place.in === 'header' ? [['key-prefix', place.prefix]] : [])];
    }
    case 'mcp_oauth':
      return [
        mode,
        ...clientRows(signIn.clientId ?? 'auto', signIn.clientSecret, signIn.scopes?.join(',') ?? 'auto'),
        ['server', signIn.issuer ?? 'auto'],
        ['redirect', redirectText(signIn.redirect)],
        ['allow-no-pkce', signIn.allowNoPkce ? 'yes' : 'no'],
      ];
    case 'oauth':
      return [
        mode,
        ['authorize-url', signIn.authorizeUrl],
        ['token-url', signIn.tokenUrl],
        ['revoke-url', signIn.revokeUrl ?? 'none'],
        ...clientRows(signIn.clientId, signIn.clientSecret, signIn.scopes.join(',')),
        ['pkce', signIn.pkce ? 'yes' : 'no'],
        ['token-auth', signIn.tokenAuth],
        ['redirect', redirectText(signIn.redirect)],
      ];
    case 'client_credentials':
      return [
        mode,
        ['token-url', signIn.tokenUrl ?? 'auto'],
        ...clientRows(signIn.clientId, signIn.clientSecret, signIn.scopes.join(',')),
        ['token-auth', signIn.tokenAuth],
      ];
  }
}

function clientRows(clientId: string, hasSecret: boolean, scopes: string): string[][] {
  return [
    ['client-id', clientId],
    ['client-secret', hasSecret ? 'kept' : 'none'],
    ['scopes', scopes],
  ];
}

function redirectText({ host, port }: RedirectSetting): string {
  return port === null ? host : `${host}:${port}`;
}

function option<M extends readonly SignInMode[]>(goesWith: M, value: string, help: string) {
  return { type: 'string', value, help, goesWith } as const;
}
