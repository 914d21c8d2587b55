import { fileURLToPath } from 'node:url';
import { test } from 'vitest';
import type { ConnectionView } from '../../shared/connections.ts';
import { addReviewed, untilReady } from '../support/fixture-upstream.ts';
import { eventually, startGatehouse } from '../support/gatehouse.ts';
import { connectPeer } from '../support/peers/clients.ts';
import { WATCHED } from '../support/peers/offer.ts';

test.each(['legacy', 'modern'] as const)(
  'a %s client hears of a resource as the account that it chose for itself, and of no other account’s',
  async (era) => {
    await using gatehouse = await startGatehouse();
    await gatehouse.ask('policyImport', { yaml: JSON.stringify({ defaultEffect: 'allow', rules: [] }) });
    const server = fileURLToPath(new URL(`../support/peers/${era}-server.ts`, import.meta.url));
    const transport = { kind: 'stdio' as const, command: process.execPath, args: [server, 'stdio'] };
    const id = await addReviewed(gatehouse, 'peer', transport);
    // A process for each account.
    const place = { in: 'environment', name: 'PEER_KEY' } as const;
    await gatehouse.ask('upstreamSignIn', { upstream: id, signIn: { kind: 'api_key', place } });
    const accounts: ConnectionView[] = [];
    for (const label of ['work', 'home', 'spare']) {
      await gatehouse.ask('signInStart', { upstream: id, label, secret: `key-of-${label}` });
      accounts.push(
        await eventually(
          async () => (await gatehouse.ask('connectionsList')).find((one) => one.label === label) ?? null,
          label,
        ),
      );
    }
    await untilReady(gatehouse, 'peer');
    const [usual, own] = [await gatehouse.key(), await gatehouse.key()];
    await gatehouse.ask('connectionDefault', { connection: accounts[1]?.id ?? '', client: own.clientId });
    await using first = await connectPeer(era, gatehouse.core.endpoint, usual.secret);
    await using second = await connectPeer(era, gatehouse.core.endpoint, own.secret);
    for (const peer of [first, second]) await peer.watch(WATCHED);
    const heard = () =>
      [first, second].map(
        (peer) => peer.heard.filter(({ method }) => method === 'notifications/resources/updated').length,
      );
    const touch = (connection: string) =>
      gatehouse.call(
        usual.secret,
        'call_external_tool',
        JSON.stringify({ upstream: 'peer', tool: 'touch', connection }),
      );
    const until = (counts: readonly number[]) =>
      eventually(() => (JSON.stringify(heard()) === JSON.stringify(counts) ? true : null), `the updates ${counts}`);
    await touch('home');
    await until([0, 1]);
    await touch('work');
    await until([1, 1]);

    // Another default: who has not chosen goes along, who has does not.
    await gatehouse.ask('connectionDefault', { connection: accounts[2]?.id ?? '' });
    await untilReady(gatehouse, 'peer');
    const hearsSpare = async () => {
      await touch('spare');
      // What was subscribed to is subscribed to there in the background.
      const update = eventually(() => ((heard()[0] ?? 0) > 1 ? true : null), 'an update', 1_000);
      return update.catch(() => null);
    };
    await eventually(hearsSpare, 'an update of the new default', 10_000);
    const [atFirst = 0] = heard();
    await touch('work');
    await touch('home');
    await until([atFirst, 2]);

    // The chosen account gets another key: its process is a new one, and what was subscribed to is so there too.
    const home = accounts[1]?.id ?? '';
    const renewed = await gatehouse.ask('signInStart', { upstream: id, connection: home, secret: 'another-key' });
    if (renewed.kind !== 'done') throw new Error(renewed.message);
    await eventually(async () => {
      const found = await gatehouse.ask('signInGet', { signIn: renewed.signIn.id });
      return found.kind === 'done' && found.signIn.state === 'connected' ? true : null;
    }, 'the account again');
    const hearsHome = async () => {
      await touch('home');
      const update = eventually(() => ((heard()[1] ?? 0) > 2 ? true : null), 'an update', 1_000);
      return update.catch(() => null);
    };
    await eventually(hearsHome, 'an update of the renewed account', 10_000);
  },
);
