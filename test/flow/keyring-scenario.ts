/**
 * A whole Gatehouse as a process of its own, with the keyring of the session bus, run by `keyring.test.ts` under
 * `keyring.sh`. Prints what a person and an agent saw as one line of JSON; the test judges it.
 */
import { join } from 'node:path';
import { createKeychain } from '../../electron/core/secrets/keychain.ts';
import { eventually } from '../support/gatehouse.ts';
import { type Headless, newBase, RECORDER, recorded, startHeadless } from '../support/headless.ts';
import { lockKeyring, unlockKeyring } from '../support/keyring.ts';
import { signIn } from '../support/sign-in.ts';
import { followAsBrowser } from '../support/vendors/browser.ts';
import { startVendor } from '../support/vendors/vendor.ts';

const base = newBase();
const record = join(base, 'record.jsonl');
const env = {
  GATEHOUSE_MASTER_KEY_FILE: '',
  DBUS_SESSION_BUS_ADDRESS: process.env.DBUS_SESSION_BUS_ADDRESS ?? '',
  XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR ?? '',
};
const keychain = createKeychain();
const start = () => startHeadless({ base, env });

const vendor = await startVendor();
const connect = (at: Headless) =>
  signIn(
    (name, input) => at.ask(name, input),
    { upstream: 'notes', label: 'work' },
    { follow: (link) => followAsBrowser(link) },
  );

if (process.argv[2] === 'absent') {
  const alone = await start();
  await alone.add('notes', { url: vendor.mcpUrl });
  const { state, code, message } = await connect(alone);
  const asked = vendor.seen.filter(({ at }) => at === 'authorization server').length;
  await alone.stop();
  await vendor.stop();
  console.log(JSON.stringify({ state, code, message, asked }));
  process.exit(0);
}

const first = await start();
const key = await first.key('agent');
await first.add('rec', { args: [RECORDER, record], secrets: { TOKEN: 'of the first key' } });
await first.review('rec', 'read');
await first.add('notes', { url: vendor.mcpUrl });
await connect(first);
await first.review('notes', 'read');

async function seen(at: Headless) {
  const { banners, secretsLost } = await at.ask('status');
  const { message } = await at.call(key, 'rec__echo', '{"text":"x"}');
  const result: { readonly isError?: boolean; readonly _meta?: Readonly<Record<string, unknown>> } =
    message?.result ?? {};
  const whoami = await at.call(key, 'notes__whoami');
  const [account] = await at.ask('connectionsList');
  return {
    banners,
    secretsLost,
    ran: result.isError !== true,
    class: result._meta?.['gatehouse/class'] ?? null,
    account: { state: account?.state, reason: account?.reason ?? null, answers: whoami.text.includes('ada') },
  };
}
const starts = () =>
  recorded(record)
    .filter(({ kind }) => kind === 'started')
    .map(({ env: got }) => (got as { TOKEN?: string }).TOKEN);
const works = (at: Headless) =>
  eventually(
    async () => ((await seen(at)).ran && (await seen(at)).account.answers ? true : null),
    'a call that runs',
    20_000,
  );

const unlocked = await seen(first);
const masterKey = await keychain.read('master-key');
await first.stop();

await lockKeyring();
const second = await start();
const locked = { ...(await seen(second)), starts: starts().length };
await unlockKeyring();
await works(second);
const after = await seen(second);
const sameKey = JSON.stringify(await keychain.read('master-key')) === JSON.stringify(masterKey);
await second.stop();

await keychain.remove('master-key');
const third = await start();
const lost = await seen(third);
const newKey = await keychain.read('master-key');
const asking = third.cli(['secrets', 'begin-anew']);
const { id } = await eventually(async () => (await third.ask('confirmationsList'))[0] ?? null, 'the question', 10_000);
await third.ask('confirmationAnswer', { confirmation: id, answer: 'confirm' });
const begun = await asking;
await eventually(
  async () => {
    const rec = (await third.ask('upstreamsList')).find(({ name }) => name === 'rec');
    return rec?.toConfirm && rec.reason !== null ? rec : null;
  },
  'the question about the upstream',
  10_000,
);
await third.ask('upstreamConfirm', { upstream: 'rec' });
await eventually(
  async () => {
    const notes = (await third.ask('upstreamsList')).find(({ name }) => name === 'notes');
    return notes?.toConfirm && notes.reason !== null ? notes : null;
  },
  'the question about the other upstream',
  10_000,
);
await third.ask('upstreamConfirm', { upstream: 'notes' });
const begunAccount = (await seen(third)).account;
const again = await connect(third);
await third.ask('upstreamChange', { upstream: 'rec', secrets: { TOKEN: 'of the second key' } });
await works(third);
const mended = { ...(await seen(third)), token: starts().at(-1) };
await third.stop();
await vendor.stop();

console.log(
  JSON.stringify({
    unlocked,
    locked,
    after,
    sameKey,
    lost,
    newKey: newKey.kind,
    begun,
    begunAccount,
    again: again.state,
    mended,
  }),
);
