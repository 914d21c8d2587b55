import { lookup as systemLookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import type { Dispatcher } from 'undici';
import type { Clock } from '../platform.ts';
import type { Environment } from '../upstreams/environment.ts';
import { openOrigin } from '../upstreams/origin.ts';
import { isLoopback, isPrivate } from '../upstreams/private-addresses.ts';
import { proxyFor } from '../upstreams/proxy.ts';
import type { SignInFault } from './authorization-server.ts';
import { fault } from './faults.ts';

export interface OutboundParts {
  readonly environment: Environment;
  /** Another name server, in tests. */
  readonly lookup: LookupFunction | undefined;
  readonly clock: Clock;
  readonly version: string;
}

/** What one errand may do on the network, by whose upstream it is. */
export interface OutboundBounds {
  /** Its name, for sentences. */
  readonly upstream: string;
  readonly url: string;
  /** The person said that this upstream may lead to private addresses. */
  readonly allowPrivate: boolean;
  /** Ends what is under way when the person gives up. */
  readonly signal?: AbortSignal;
}

export interface OutboundRequest {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Not read: an event stream may never end. */
  readonly ignoreBody?: boolean;
  /** A redirect is an answer like any other: nobody goes there. */
  readonly stay?: boolean;
}

export interface OutboundAnswer {
  readonly kind: 'answer';
  readonly status: number;
  /** Where it came from in the end. */
  readonly url: string;
  readonly contentType: string;
  readonly challenge: string | null;
  /** At most 1 MiB. Foreign: for parsers, never for a sentence. */
  readonly text: string;
}

/**
 * The only way a sign-in, a renewal or a sign-out reaches the network. What a server names cannot make it touch this
 * machine or a private network, cost more than 1 MiB and 10 s, or carry anything secret along a redirect (security.md J).
 */
export type Outbound = (request: OutboundRequest) => Promise<OutboundAnswer | SignInFault>;

export function createOutbound(parts: OutboundParts, bounds: OutboundBounds): Outbound {
  const own = new URL(bounds.url);

  return async (request) => {
    const ended = new AbortController();
    const cancel = parts.clock.after(TOTAL_MS, () => ended.abort(TOO_SLOW));
    const signals = bounds.signal === undefined ? [ended.signal] : [ended.signal, bounds.signal];
    const signal = AbortSignal.any(signals);
    try {
      return await followed(request, signal);
    } finally {
      cancel();
    }
  };

  async function followed(request: OutboundRequest, signal: AbortSignal): Promise<OutboundAnswer | SignInFault> {
    let target = request.url;
    for (let hops = 0; ; hops += 1) {
      const refused = refuse(target);
      if (refused !== null) return refused;
      const url = new URL(target);
      const answer = await once(url, request, signal);
      if (answer.kind === 'fault') return answer;
      if (answer.location === null || request.stay === true) return answer.answer;
      // A body with a code or a secret in it goes where it was sent, and nowhere else.
      if (request.method !== 'GET') {
        return fault('unreachable', {
          ...about(url),
          detail: 'It redirects to another address, which is not followed.',
        });
      }
      if (hops === MOST_HOPS || !URL.canParse(answer.location, url.href)) {
        return fault('unreachable', { ...about(url), detail: 'It redirects without end, or to no address.' });
      }
      const next = new URL(answer.location, url);
      // Allowed is what a person or a document names, not where an answer sends us on this machine.
      if (next.origin !== url.origin && isLoopbackAddress(bare(next.hostname)))
        return fault('host_not_allowed', about(next));
      target = next.href;
    }
  }

  function about(url: URL) {
    return { upstream: bounds.upstream, where: url.host };
  }

  /** By what the address itself says; what its name leads to is seen when it is looked up. */
  function refuse(target: string): SignInFault | null {
    if (!URL.canParse(target)) return fault('insecure_address', { upstream: bounds.upstream, where: target });
    const url = new URL(target);
    if (url.protocol !== 'https:' && url.protocol !== 'http:') {
      return fault('insecure_address', { upstream: bounds.upstream, where: target });
    }
    const host = bare(url.hostname);
    if ((isIP(host) !== 0 || isLoopbackName(host)) && !mayReach(host, url))
      return fault('host_not_allowed', about(url));
    if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
      return fault('insecure_address', { upstream: bounds.upstream, where: url.origin });
    }
    return url.username === '' && url.password === ''
      ? null
      : fault('insecure_address', { ...about(url), detail: 'It holds a user name or a password.' });
  }

  /** Whether requests to `url` may go to this address, written in it or looked up. */
  function mayReach(address: string, { hostname }: URL): boolean {
    if (isLoopbackName(bare(hostname)) && !isLoopbackAddress(address)) return false;
    if (hostname === own.hostname && (isIP(bare(hostname)) !== 0 || bounds.allowPrivate)) return true;
    if (isLoopbackAddress(address)) return isLoopback(own.hostname);
    if (!isPrivate(address)) return true;
    return bounds.allowPrivate && isOfANetwork(address);
  }

  /** For `connect`: what was checked is what is connected to. */
  function guarded(url: URL): LookupFunction {
    const lookup = parts.lookup ?? systemLookup;
    return (host, options, done) => {
      lookup(host, { ...options, all: true }, (error, found) => {
        const addresses = typeof found === 'string' ? [{ address: found, family: isIP(found) }] : found;
        if (error !== null) return done(error, []);
        const [first] = addresses;
        if (first === undefined || addresses.some(({ address }) => !mayReach(address, url))) {
          return done(Object.assign(new Error('the name leads to a private address'), { code: 'EPRIVATE' }), []);
        }
        return options.all === true ? done(null, addresses) : done(null, first.address, first.family);
      });
    };
  }

  /** By a proxy the name is looked up there. Where we can look it up too, we know enough to refuse. */
  function isRefusedBehindProxy(url: URL): Promise<boolean> {
    if (proxyFor(url, parts.environment) === null || isIP(bare(url.hostname)) !== 0) return Promise.resolve(false);
    return new Promise((resolve) => {
      guarded(url)(bare(url.hostname), { all: true }, (error) =>
        resolve(error !== null && codeOf(error) === 'EPRIVATE'),
      );
    });
  }

  async function once(
    url: URL,
    { method, headers, body, ignoreBody }: OutboundRequest,
    signal: AbortSignal,
  ): Promise<
    { readonly kind: 'answered'; readonly answer: OutboundAnswer; readonly location: string | null } | SignInFault
  > {
    if (await isRefusedBehindProxy(url)) return fault('host_not_allowed', about(url));
    const origin = openOrigin({ url, environment: parts.environment, allowPrivate: true, lookup: guarded(url) });
    try {
      const answer = await origin.request({
        path: url.pathname + url.search,
        method,
        headers: {
          'user-agent': `gatehouse/${parts.version}`,
          accept: 'application/json',
          // What is counted is what is read: nothing that grows when it is unpacked.
          'accept-encoding': 'identity',
          ...headers,
        },
        body: body ?? null,
        signal,
      });
      const text = ignoreBody === true ? '' : await whole(answer.body, answer.headers['content-length']);
      if (text === null) return fault('too_large', about(url));
      const location = isRedirect(answer.statusCode) ? one(answer.headers.location) : null;
      return {
        kind: 'answered',
        location,
        answer: {
          kind: 'answer',
          status: answer.statusCode,
          url: url.href,
          contentType: one(answer.headers['content-type']) ?? '',
          challenge: all(answer.headers['www-authenticate']),
          text,
        },
      };
    } catch (error) {
      return ending(url, error, signal);
    } finally {
      // With it goes whatever of the answer was not read.
      await origin.destroy();
    }
  }

  function ending(url: URL, error: unknown, signal: AbortSignal): SignInFault {
    if (signal.aborted) return fault(signal.reason === TOO_SLOW ? 'timeout' : 'cancelled', about(url));
    const code = codeOf(error);
    if (code === 'EPRIVATE') return fault('host_not_allowed', about(url));
    if (code === 'UND_ERR_HEADERS_OVERFLOW' || code === 'HPE_HEADER_OVERFLOW') return fault('too_large', about(url));
    if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'UND_ERR_HEADERS_TIMEOUT') return fault('timeout', about(url));
    return fault('unreachable', { ...about(url), detail: WHY[code] ?? inGeneral(code) });
  }
}

/** Why an address that a server names is not opened or asked; null when it may be. K1: https, http on this machine. */
export function refuseAddress(address: string, upstream: string): SignInFault | null {
  const where = address;
  if (!URL.canParse(address)) return fault('insecure_address', { upstream, where });
  const url = new URL(address);
  const isSecure = url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
  if (!isSecure) return fault('insecure_address', { upstream, where });
  if (url.username === '' && url.password === '') return null;
  return fault('insecure_address', { upstream, where: url.host, detail: 'It holds a user name or a password.' });
}

async function whole(body: Dispatcher.ResponseData['body'], announced: string | string[] | undefined) {
  if (Number(announced ?? 0) > MOST_BYTES) return null;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MOST_BYTES) return null;
    chunks.push(chunk);
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
}

function isRedirect(status: number): boolean {
  return status >= 300 && status < 400 && status !== 304;
}

function one(header: string | string[] | undefined): string | null {
  return (Array.isArray(header) ? header[0] : header) ?? null;
}

function all(header: string | string[] | undefined): string | null {
  return Array.isArray(header) ? header.join(', ') : (header ?? null);
}

function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
}

function isLoopbackName(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost');
}

function isLoopbackAddress(host: string): boolean {
  return isLoopbackName(host) || host === '::1' || /^(::ffff:)?127\./.test(host) || /^::ffff:7f[0-9a-f]{2}:/.test(host);
}

/** Networks of homes and offices. Not link-local and not the rest: there clouds keep what they tell a machine alone. */
function isOfANetwork(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && NETWORKS.check(address, family === 4 ? 'ipv4' : 'ipv6') && !/^fd00:ec2:/i.test(address);
}

function codeOf(error: unknown): string {
  for (let link = error, depth = 0; typeof link === 'object' && link !== null && depth < 5; depth += 1) {
    if ('code' in link && typeof link.code === 'string') return link.code;
    link = 'cause' in link ? link.cause : null;
  }
  return '';
}

function inGeneral(code: string): string {
  if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code)) return `It has no valid certificate (${code}).`;
  return code === '' ? 'The connection broke.' : `The connection broke (${code}).`;
}

const WHY: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Nothing listens there.',
  ENOTFOUND: 'Its name cannot be found.',
  EAI_AGAIN: 'Its name cannot be looked up now.',
  EHOSTUNREACH: 'There is no way to it.',
  ENETUNREACH: 'There is no network to it.',
  EPROXY: 'The proxy that HTTP_PROXY or HTTPS_PROXY names does not answer, or does not let us through.',
};
const TOO_SLOW = new Error('too slow');
const TOTAL_MS = 10_000;
const MOST_BYTES = 1024 * 1024;
const MOST_HOPS = 5;
const NETWORKS = new BlockList();
NETWORKS.addSubnet('10.0.0.0', 8, 'ipv4');
NETWORKS.addSubnet('100.64.0.0', 10, 'ipv4');
NETWORKS.addSubnet('172.16.0.0', 12, 'ipv4');
NETWORKS.addSubnet('192.168.0.0', 16, 'ipv4');
NETWORKS.addSubnet('fc00::', 7, 'ipv6');
