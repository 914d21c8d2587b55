import { BlockList, isIP } from 'node:net';
import type { Environment } from './environment.ts';
import { isLoopback } from './private-addresses.ts';

/**
 * The proxy that the environment names for this address; null: none. As curl and undici read it: `HTTP_PROXY`,
 * `HTTPS_PROXY` and `NO_PROXY`, small letters first. Loopback is never reached by a proxy.
 */
export function proxyFor(url: URL, environment: Environment): URL | null {
  if (isLoopback(url.hostname)) return null;
  const name = url.protocol === 'https:' ? 'https_proxy' : 'http_proxy';
  const proxy = named(name, environment);
  if (proxy === null || isExcepted(url, named('no_proxy', environment) ?? '')) return null;
  const written = proxy.includes('://') ? proxy : `http://${proxy}`;
  const found = URL.canParse(written) ? new URL(written) : null;
  return found !== null && ['http:', 'https:'].includes(found.protocol) ? found : null;
}

function named(name: string, environment: Environment): string | null {
  const value = environment[name] ?? environment[name.toUpperCase()];
  return value === undefined || value.trim() === '' ? null : value.trim();
}

/** `*`, a host and its subdomains with or without a leading dot, an address or a network, each with a port if given. */
function isExcepted({ hostname, port, protocol }: URL, exceptions: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '');
  const at = port === '' ? (protocol === 'https:' ? '443' : '80') : port;
  return exceptions
    .toLowerCase()
    .split(/[\s,]+/)
    .filter(Boolean)
    .some((entry) => {
      if (entry === '*') return true;
      const [, name = '', wantedPort] = /^\[?(.*?)\]?(?::(\d+))?$/.exec(isIP(entry) === 6 ? `[${entry}]` : entry) ?? [];
      if (wantedPort !== undefined && wantedPort !== at) return false;
      if (isIP(host) !== 0) return name === host || isInNetwork(host, name);
      const bare = name.replace(/^\*?\./, '');
      return host === bare || host.endsWith(`.${bare}`);
    });
}

function isInNetwork(address: string, network: string): boolean {
  const [base = '', length = ''] = network.split('/');
  const family = isIP(base);
  if (family === 0 || family !== isIP(address) || !/^\d{1,3}$/.test(length)) return false;
  if (Number(length) > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  const type = family === 4 ? 'ipv4' : 'ipv6';
  list.addSubnet(base, Number(length), type);
  return list.check(address, type);
}
