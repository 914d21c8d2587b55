import { parseSpan } from '../../shared/amounts.ts';
import type { Key } from '../../shared/model.ts';
import { type Command, JSON_OPTION, WORKSPACE_OPTION } from './command.ts';
import { workspaceOption } from './names.ts';
import { didYouMean } from './nearest.ts';
import { shownTime, table } from './terminal.ts';
import { visible } from './untrusted.ts';
import { listOption } from './values.ts';

const ROLES = ['executor', 'reader', 'admin'] as const;

const create: Command = {
  words: ['keys', 'create'],
  summary: 'make a key for a client; it is printed once, on stdout',
  options: {
    role: { type: 'string', value: 'ROLE', help: 'executor lists and calls, reader only lists, admin sees health' },
    name: { type: 'string', value: 'NAME', help: 'what you call the client' },
    expires: { type: 'string', value: '90d', help: 'how long it is good for (s, m, h, d, w); else for ever' },
    upstreams: { type: 'string', value: 'a,b', help: 'the only upstreams it may see; else all', multiple: true },
    'scope-tags': {
      type: 'string',
      value: 'x,y',
      help: 'list tools of upstreams with these tags at once',
      multiple: true,
    },
    ...WORKSPACE_OPTION,
    ...JSON_OPTION,
  },
  async run(call) {
    const { terminal } = call;
    const name = call.text('name');
    if (name === null) {
      terminal.say('gatehouse: A key needs a name: gatehouse keys create --role executor --name my-agent');
      return 1;
    }
    const wanted = call.text('role') ?? 'executor';
    const role = ROLES.find((known) => known === wanted);
    if (!role) {
      terminal.say(
        `gatehouse: There is no role '${visible(wanted)}'; use ${ROLES.join(', ')}.${didYouMean(wanted, ROLES)}`,
      );
      return 1;
    }
    const expires = call.text('expires');
    const expiresInMs = expires === null ? null : parseSpan(expires);
    if (expires !== null && (expiresInMs === null || expiresInMs === 0)) {
      terminal.say(`gatehouse: '${visible(expires)}' is not a time span; write 90d, 12h or 30m.`);
      return 1;
    }
    const door = await call.door();
    if (!door) return 1;
    const workspace = await workspaceOption(call, door);
    if (workspace === null) return 1;
    const made = await door.ask('keyCreate', {
      workspace,
      role,
      name,
      expiresInMs,
      upstreams: listOption(call, 'upstreams'),
      scopeTags: listOption(call, 'scope-tags') ?? [],
    });
    if (!made) return 1;
    if (call.flag('json')) {
      terminal.print(
        JSON.stringify({ key: made.secret, id: made.key.id, prefix: made.key.prefix, client: made.client }),
      );
      return 0;
    }
    terminal.print(made.secret);
    const until = made.key.expiresAt === null ? 'until you revoke it' : `until ${shownTime(made.key.expiresAt)}`;
    terminal.say(`This is the ${role} key of ${visible(made.client.name)}, good ${until}. It is not shown again.`);
    return 0;
  },
};

const list: Command = {
  words: ['keys', 'list'],
  summary: 'list the keys',
  options: { ...WORKSPACE_OPTION, ...JSON_OPTION },
  async run(call) {
    const door = await call.door();
    if (!door) return 1;
    const workspace = await workspaceOption(call, door);
    if (workspace === null) return 1;
    const clients = await door.ask('clientsList', { workspace });
    if (!clients) return 1;
    const keys = clients.flatMap((client) =>
      client.keys.map((key) => ({ ...key, client: client.name, workspace: client.workspace })),
    );
    if (call.flag('json')) {
      call.terminal.print(JSON.stringify(keys));
      return 0;
    }
    if (keys.length === 0) {
      call.terminal.say('There are no keys yet. Make one: gatehouse keys create --role executor --name my-agent');
      return 0;
    }
    const now = Date.now();
    const rows = keys.map((key) => [
      key.prefix,
      key.client,
      key.role,
      key.workspace,
      stateOf(key, now),
      shownTime(key.createdAt),
      shownTime(key.expiresAt),
      shownTime(key.lastUsedAt),
    ]);
    for (const line of table(
      ['KEY', 'CLIENT', 'ROLE', 'WORKSPACE', 'STATE', 'CREATED', 'EXPIRES', 'LAST USED'],
      rows,
    )) {
      call.terminal.print(line);
    }
    return 0;
  },
};

const revoke: Command = {
  words: ['keys', 'revoke'],
  summary: 'end a key and every stream that it opened',
  takes: ['key'],
  async run(call) {
    const door = await call.door();
    const key = call.words[0] ?? '';
    if (!door || !(await door.ask('keyRevoke', { key }))) return 1;
    call.terminal.say(`The key ${visible(key)} is revoked.`);
    return 0;
  },
};

const rotate: Command = {
  words: ['keys', 'rotate'],
  summary: 'put a new key in the place of an old one; it is printed once, on stdout',
  takes: ['key'],
  async run(call) {
    const door = await call.door();
    const made = await door?.ask('keyRotate', { key: call.words[0] ?? '' });
    if (!made) return 1;
    call.terminal.print(made.secret);
    call.terminal.say('This is the new key. It is not shown again, and the old one is no longer good.');
    return 0;
  },
};

function stateOf(key: Key, now: number): string {
  if (key.revokedAt !== null) return 'revoked';
  if (key.expiresAt !== null && key.expiresAt <= now) return 'expired';
  return key.signedIn ? 'signed in by itself' : 'good';
}

export const keyCommands: readonly Command[] = [create, list, revoke, rotate];
