import { lookup as systemLookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** Whether the host of an address says itself that it is this machine: no name server is asked to believe it. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** Whether the person wrote down where to go, and not a name that somebody else may lead anywhere. */
export function isWrittenAddress(host: string): boolean {
  return isLoopback(host) || isIP(host.replace(/^\[|\]$/g, '')) !== 0;
}

/** Everything that is no public unicast address: private, local, link-local (metadata services), shared, special. */
export function isPrivate(address: string): boolean {
  const bare = address.split('%')[0] ?? '';
  const family = isIP(bare);
  return family === 0 || PRIVATE.check(bare, family === 4 ? 'ipv4' : 'ipv6');
}

/**
 * Looks a name up as the system does and refuses it when any of its addresses is private. For `connect`: what was checked
 * is what is connected to, so an answer that changes later is checked as well.
 */
export function publicOnly(lookup: LookupFunction = systemLookup): LookupFunction {
  return (host, options, done) => {
    lookup(host, { ...options, all: true }, (error, found) => {
      const addresses = typeof found === 'string' ? [{ address: found, family: isIP(found) }] : found;
      if (error !== null) return done(error, []);
      const [first] = addresses;
      if (first === undefined || addresses.some(({ address }) => isPrivate(address))) {
        return done(Object.assign(new Error('the name leads to a private address'), { code: 'EPRIVATE' }), []);
      }
      return options.all === true ? done(null, addresses) : done(null, first.address, first.family);
    });
  };
}

/** IANA special-purpose registries (RFC 6890 and its updates), multicast included. */
const PRIVATE_4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const;
/** `::/96` and `::ffff:0:0/96` hold IPv4; an answer of DNS has no reason to. */
const PRIVATE_6 = [
  ['::', 96],
  ['::ffff:0:0:0', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['3fff::', 20],
  ['5f00::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
] as const;

const PRIVATE = listed();

function listed(): BlockList {
  const list = new BlockList();
  for (const [address, length] of PRIVATE_6) list.addSubnet(address, length, 'ipv6');
  for (const [address, length] of PRIVATE_4) {
    // The list itself takes ::ffff:a.b.c.d for a.b.c.d.
    list.addSubnet(address, length, 'ipv4');
    // The same behind NAT64 (RFC 6052) and 6to4 (RFC 3056).
    list.addSubnet(`64:ff9b::${address}`, 96 + length, 'ipv6');
    const [a, b, c, d] = address.split('.').map((byte) => Number(byte).toString(16).padStart(2, '0'));
    list.addSubnet(`2002:${a}${b}:${c}${d}::`, 16 + length, 'ipv6');
  }
  return list;
}
