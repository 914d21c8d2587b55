import type { LookupFunction } from 'node:net';
import { describe, expect, test } from 'vitest';
import { isPrivate, publicOnly } from '../../../electron/core/upstreams/private-addresses.ts';
import { remoteServer } from './remote-server.ts';
import { rig } from './rig.ts';

/** A name server that gives these answers one after the other, the last one for ever. */
function answers(...lists: readonly (readonly string[])[]): LookupFunction & { readonly asked: string[] } {
  const asked: string[] = [];
  const lookup: LookupFunction = (host, _options, done) => {
    const list = lists[Math.min(asked.length, lists.length - 1)] ?? [];
    asked.push(host);
    done(
      null,
      list.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  };
  return Object.assign(lookup, { asked });
}

test.each([
  '127.0.0.1',
  '10.1.2.3',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '169.254.169.254',
  '100.64.0.1',
  '0.0.0.0',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  'fe80::1%eth0',
  'fd00:ec2::254',
  '::ffff:10.0.0.1',
  '::ffff:a9fe:a9fe',
  '64:ff9b::7f00:1',
  '64:ff9b::169.254.169.254',
  '2002:7f00:1::',
  '2002:c0a8:101::1',
  'not an address',
])('%s is private', (address) => {
  expect(isPrivate(address)).toBe(true);
});

test.each(['1.1.1.1', '8.8.8.8', '172.32.0.1', '100.128.0.1', '192.167.1.1', '2606:4700::1111', '64:ff9b::808:808'])(
  '%s is public',
  (address) => {
    expect(isPrivate(address)).toBe(false);
  },
);

describe('a name is checked when it is connected to', () => {
  const look = (lookup: LookupFunction) =>
    new Promise((resolve) =>
      publicOnly(lookup)('x.test', { all: true }, (error, found) => resolve(error?.code ?? found)),
    );

  test('what was checked is what is connected to', async () => {
    expect(await look(answers(['8.8.8.8', '2606:4700::1111']))).toEqual([
      { address: '8.8.8.8', family: 4 },
      { address: '2606:4700::1111', family: 6 },
    ]);
  });

  test('one private address among public ones is enough to refuse it', async () => {
    expect(await look(answers(['8.8.8.8', '10.0.0.1']))).toBe('EPRIVATE');
  });

  test('an answer that changes is refused at the next connection', async () => {
    const lookup = answers(['8.8.8.8'], ['127.0.0.1']);
    expect(await look(lookup)).toEqual([{ address: '8.8.8.8', family: 4 }]);
    expect(await look(lookup)).toBe('EPRIVATE');
  });
});

describe('an upstream by name', () => {
  test('that leads to a private address is refused, and nothing is sent', async () => {
    const server = await remoteServer();
    const lookup = answers(['127.0.0.1']);
    const it = rig({ lookup });
    const url = `http://mcp.example.test:${server.port}/mcp`;
    const { id } = await it.add('x', { kind: 'http', url, secretHeaders: [] });
    expect((await it.until(id, 'failed')).reason).toBe(
      `x is not used: the name in mcp.example.test:${server.port} leads to a private or local address. If that is meant, allow it with --private-addresses allow (EPRIVATE).`,
    );
    expect(lookup.asked).toContain('mcp.example.test');
    expect(server.seen).toEqual([]);
    expect(await it.call(id, 'echo')).toMatchObject({ kind: 'failed', errorClass: 'upstream_unreachable' });

    await it.upstreams.change(id, { allowPrivate: true });
    await it.until(id, 'ready');
    expect(await it.call(id, 'echo')).toMatchObject({ kind: 'answered' });
  });

  test.each(['127.0.0.1', 'localhost'])('written as %s is used as written', async (host) => {
    const server = await remoteServer();
    const it = rig();
    const url = `http://${host}:${server.port}/mcp`;
    const view = await it.addReady('x', { kind: 'http', url, secretHeaders: [] });
    expect(await it.call(view.id, 'echo')).toMatchObject({ kind: 'answered' });
  });
});
