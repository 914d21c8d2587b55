import type { ConnectionView } from '../../shared/connections.ts';
import type { UpstreamView } from '../../shared/model.ts';
import { type Call, type Command, JSON_OPTION, WORKSPACE_OPTION } from './command.ts';
import { isCalled } from './connect.ts';
import type { Door } from './door.ts';
import { findClient, findUpstream, workspaceOption } from './names.ts';
import { didYouMean } from './nearest.ts';
import { traceLines } from './sign-in-lines.ts';
import { shownTime, table } from './terminal.ts';
import { visible } from './untrusted.ts';

const accounts: Command = {
  words: ['upstreams', 'accounts'],
  summary: 'list the accounts of an upstream, or of all, and how each is',
  takes: ['name?'],
  options: { ...WORKSPACE_OPTION, ...JSON_OPTION },
  async run(call) {
    const door = await call.door();
    if (!door) return 1;
    const [name] = call.words;
    const upstream = name === undefined ? undefined : await findUpstream(call, door, name);
    const workspace = upstream === undefined ? await workspaceOption(call, door) : undefined;
    if (upstream === null || workspace === null) return 1;
    const listed = await door.ask('connectionsList', { workspace, upstream: upstream?.id });
    if (!listed) return 1;
    if (call.flag('json')) {
      call.terminal.print(JSON.stringify(listed));
      return 0;
    }
    const heading = ['UPSTREAM', 'ACCOUNT', 'STATE', 'DEFAULT', 'GIVEN BY', 'SCOPES', 'RENEWAL', 'WHY'];
    if (listed.length > 0) for (const line of table(heading, listed.map(rowOf))) call.terminal.print(line);
    else call.terminal.say('There is no account. To connect one: gatehouse upstreams connect <name>');
    return 0;
  },
};

function rowOf(one: ConnectionView): string[] {
  const wanted = one.asksFor?.filter((scope) => one.scopes?.includes(scope) !== true) ?? [];
  const state = one.state.replaceAll('_', ' ');
  const clients = one.defaultFor.length === 0 ? '' : `of ${one.defaultFor.length} clients`;
  return [
    one.upstream,
    one.label,
    wanted.length === 0 ? state : `${state}: ${wanted.join(' ')}`,
    [one.isDefault ? 'yes' : '', clients].filter((part) => part !== '').join(', ') || '-',
    one.issuer ?? '-',
    one.scopes?.join(' ') || '-',
    one.renews ? 'by itself' : one.expiresAt === null ? '-' : `ends ${shownTime(one.expiresAt)}`,
    one.reason ?? '',
  ];
}

/** The account that was named, or the only one; null when there is none, and that was said. */
async function findAccount(
  call: Call,
  door: Door,
  upstream: UpstreamView,
  label: string | null,
): Promise<ConnectionView | null> {
  const listed = await door.ask('connectionsList', { upstream: upstream.id });
  if (!listed) return null;
  const found =
    label === null ? (listed.length === 1 ? listed[0] : undefined) : listed.find((one) => isCalled(one, label));
  if (found !== undefined) return found;
  const labels = listed.map((one) => one.label);
  const quoted = labels.map((one) => `'${visible(one)}'`).join(', ');
  call.terminal.say(
    listed.length === 0
      ? `gatehouse: ${upstream.name} has no account. To connect one: gatehouse upstreams connect ${upstream.name}`
      : label === null
        ? `gatehouse: ${upstream.name} has several accounts; say which: ${quoted}.`
        : `gatehouse: ${upstream.name} has no account '${visible(label)}'.${didYouMean(label, labels, visible)}`,
  );
  return null;
}

async function named(call: Call, label: string | null) {
  const door = await call.door();
  const upstream = door && (await findUpstream(call, door, call.words[0] ?? ''));
  const account = door && upstream && (await findAccount(call, door, upstream, label));
  return account ? { door, account } : null;
}

const disconnect: Command = {
  words: ['upstreams', 'disconnect'],
  summary: 'sign an account out, here and at the vendor; its name stays',
  takes: ['name'],
  options: {
    account: { type: 'string', value: 'LABEL', help: 'which one; else the only one' },
    remove: { type: 'boolean', help: 'forget it too' },
    ...WORKSPACE_OPTION,
  },
  async run(call) {
    const found = await named(call, call.text('account'));
    if (!found) return 1;
    const { door, account } = found;
    const remove = call.flag('remove');
    const ended = await door.ask(remove ? 'connectionRemove' : 'connectionSignOut', { connection: account.id });
    if (!ended) return 1;
    const note = ended.note === null ? '' : ` ${visible(ended.note)}`;
    const what = remove ? 'signed out and forgotten' : 'signed out';
    call.terminal.say(`'${visible(account.label)}' at ${account.upstream} is ${what}.${note}`);
    return 0;
  },
};

const rename: Command = {
  words: ['upstreams', 'rename-account'],
  summary: 'call an account something else',
  takes: ['name', 'label', 'new label'],
  options: WORKSPACE_OPTION,
  async run(call) {
    const found = await named(call, call.words[1] ?? '');
    const label = call.words[2] ?? '';
    const renamed = found && (await found.door.ask('connectionRename', { connection: found.account.id, label }));
    if (!renamed) return 1;
    const { connection } = renamed;
    call.terminal.say(
      `'${visible(found.account.label)}' at ${connection.upstream} is called '${visible(connection.label)}' now.`,
    );
    return 0;
  },
};

const makeDefault: Command = {
  words: ['upstreams', 'default-account'],
  summary: 'say which account calls use that name none: of all clients, or of one',
  takes: ['name', 'label'],
  options: {
    client: { type: 'string', value: 'NAME', help: 'for this client only' },
    ...WORKSPACE_OPTION,
  },
  async run(call) {
    const found = await named(call, call.words[1] ?? '');
    if (!found) return 1;
    const { door, account } = found;
    const name = call.text('client');
    const client = name === null ? undefined : await findClient(call, door, name);
    if (client === null) return 1;
    if (!(await door.ask('connectionDefault', { connection: account.id, client: client?.id ?? null }))) return 1;
    const whose = client === undefined ? 'Calls' : `Calls of ${visible(client.name)}`;
    call.terminal.say(`${whose} that name no account of ${account.upstream} use '${visible(account.label)}'.`);
    return 0;
  },
};

const trace: Command = {
  words: ['upstreams', 'trace'],
  summary: 'show the last sign-in at an upstream step by step, and where it failed',
  takes: ['name'],
  options: {
    account: { type: 'string', value: 'LABEL', help: 'the last one of this account' },
    ...WORKSPACE_OPTION,
    ...JSON_OPTION,
  },
  async run(call) {
    const door = await call.door();
    const upstream = door && (await findUpstream(call, door, call.words[0] ?? ''));
    const listed = upstream && (await door.ask('signInsList', { upstream: upstream.id }));
    if (!listed) return 1;
    const label = call.text('account');
    const last = listed.find((one) => label === null || one.label.toLowerCase() === label.trim().toLowerCase());
    if (last === undefined) {
      const whose = label === null ? 'Nobody has' : `'${visible(label)}' has not`;
      call.terminal.say(
        `${whose} signed in at ${upstream.name} lately. To sign in: gatehouse upstreams connect ${upstream.name}`,
      );
      return 1;
    }
    if (call.flag('json')) call.terminal.print(JSON.stringify(last));
    else for (const line of traceLines(last)) call.terminal.print(line);
    return 0;
  },
};

export const accountCommands: readonly Command[] = [accounts, disconnect, rename, makeDefault, trace];
