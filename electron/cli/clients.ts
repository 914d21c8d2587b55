import { parseSpan } from '../../shared/amounts.ts';
import { type Command, JSON_OPTION, WORKSPACE_OPTION } from './command.ts';
import { findClient, workspaceOption } from './names.ts';
import { table } from './terminal.ts';
import { visible } from './untrusted.ts';
import { listOption } from './values.ts';

const list: Command = {
  words: ['clients', 'list'],
  summary: 'list the programs that have a key',
  options: { ...WORKSPACE_OPTION, ...JSON_OPTION },
  async run(call) {
    const door = await call.door();
    if (!door) return 1;
    const workspace = await workspaceOption(call, door);
    if (workspace === null) return 1;
    const clients = await door.ask('clientsList', { workspace });
    if (!clients) return 1;
    if (call.flag('json')) {
      call.terminal.print(JSON.stringify(clients));
      return 0;
    }
    const rows = clients.map((client) => [
      client.name,
      client.callsItself ?? '-',
      client.workspace,
      client.tags.join(',') || '-',
      client.upstreams?.join(',') ?? 'all',
      client.scopeTags.join(',') || '-',
      `${client.holdMs / 1000} s`,
      client.id,
    ]);
    const heading = ['CLIENT', 'CALLS ITSELF', 'WORKSPACE', 'TAGS', 'UPSTREAMS', 'SCOPE TAGS', 'HOLD', 'ID'];
    for (const line of table(heading, rows)) call.terminal.print(line);
    return 0;
  },
};

const set: Command = {
  words: ['clients', 'set'],
  summary: 'change what a client is called, sees and lists',
  takes: ['client'],
  options: {
    name: { type: 'string', value: 'NAME', help: 'what you call it' },
    tags: { type: 'string', value: 'x,y', help: 'its tags, for rules', multiple: true },
    upstreams: {
      type: 'string',
      value: 'a,b',
      help: "the only upstreams it may see; 'all' for every one",
      multiple: true,
    },
    'scope-tags': {
      type: 'string',
      value: 'x,y',
      help: "upstream tags whose tools it lists; '*' all, '' none",
      multiple: true,
    },
    hold: { type: 'string', value: '50s', help: 'how long a call waits for you before it answers approval_pending' },
    ...WORKSPACE_OPTION,
    ...JSON_OPTION,
  },
  async run(call) {
    const hold = call.text('hold');
    const holdMs = hold === null ? undefined : parseSpan(hold);
    if (holdMs === null) {
      call.terminal.say(`gatehouse: '${visible(hold ?? '')}' is not a time span; write 50s or 2m.`);
      return 1;
    }
    const upstreams = listOption(call, 'upstreams');
    const door = await call.door();
    const client = door && (await findClient(call, door, call.words[0] ?? ''));
    if (!client) return 1;
    const changed = await door.ask('clientSet', {
      client: client.id,
      name: call.text('name') ?? undefined,
      tags: listOption(call, 'tags') ?? undefined,
      upstreams: upstreams?.length === 1 && upstreams[0] === 'all' ? null : (upstreams ?? undefined),
      scopeTags: listOption(call, 'scope-tags') ?? undefined,
      holdMs,
    });
    if (!changed) return 1;
    if (call.flag('json')) call.terminal.print(JSON.stringify(changed.client));
    else call.terminal.say(`The client ${visible(changed.client.name)} is changed.`);
    return 0;
  },
};

export const clientCommands: readonly Command[] = [list, set];
