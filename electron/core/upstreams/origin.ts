import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { LookupFunction } from 'node:net';
import { getCACertificates } from 'node:tls';
import { type Dispatcher, Pool, ProxyAgent } from 'undici';
import type { Environment } from './environment.ts';
import { isWrittenAddress, publicOnly } from './private-addresses.ts';
import { proxyFor } from './proxy.ts';

export interface OriginWanted {
  readonly url: URL;
  readonly environment: Environment;
  /** The name may lead to a private address. */
  readonly allowPrivate: boolean;
  /** Another name server, in tests. */
  readonly lookup: LookupFunction | undefined;
}

/** Connections to one origin: kept alive between requests, by the person's proxy, trusting their authorities too. */
export interface Origin {
  request(options: Omit<Dispatcher.RequestOptions, 'origin'>): Promise<Dispatcher.ResponseData>;
  destroy(): Promise<void>;
}

export function openOrigin({ url, environment, allowPrivate, lookup }: OriginWanted): Origin {
  const authorities = extraAuthorities(environment);
  const tls = authorities.length === 0 ? {} : { ca: [...getCACertificates('default'), ...authorities] };
  const proxy = proxyFor(url, environment);
  if (proxy !== null) {
    const agent = new ProxyAgent({
      ...KEPT,
      uri: proxy.href,
      connectTimeout: CONNECT_MS,
      requestTls: tls,
      proxyTls: tls,
    });
    return {
      async request(options) {
        try {
          return await agent.request({ ...options, origin: url.origin });
        } catch (error) {
          throw isOfProxy(error) ? Object.assign(new Error('the proxy'), { code: 'EPROXY' }) : error;
        }
      },
      destroy: () => agent.destroy(),
    };
  }
  const resolve = allowPrivate || isWrittenAddress(url.hostname) ? lookup : publicOnly(lookup);
  const connect = { ...tls, timeout: CONNECT_MS, ...(resolve === undefined ? {} : { lookup: resolve }) };
  const pool = new Pool(url.origin, { ...KEPT, connect });
  return {
    request: (options) => pool.request({ ...options, origin: url.origin }),
    destroy: () => pool.destroy(),
  };
}

/**
 * The certificates in the file that `NODE_EXTRA_CA_CERTS` names. Node reads it by itself; Electron does not where it is
 * built to ignore what changes how Node runs. A file that cannot be read is none, as for Node.
 */
function extraAuthorities(environment: Environment): readonly string[] {
  const file = environment.NODE_EXTRA_CA_CERTS;
  if (file === undefined || file === '') return [];
  try {
    const blocks = readFileSync(file, 'utf8').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
    return blocks.filter(isCertificate);
  } catch {
    return [];
  }
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

/** Not reached, or not let through: nothing of the request has gone beyond the proxy. */
function isOfProxy(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? String(error.code) : '';
  return UNREACHED.has(code) || /^Proxy (response|Authentication)/.test(error.message);
}

const UNREACHED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);
const CONNECT_MS = 10_000;
const KEPT = {
  bodyTimeout: 0,
  // Below the five seconds after which common servers close an idle connection.
  keepAliveTimeout: 4_000,
} as const;
