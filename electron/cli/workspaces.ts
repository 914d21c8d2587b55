import { type Command, JSON_OPTION } from './command.ts';
import { findWorkspace } from './names.ts';
import { table } from './terminal.ts';
import { visible } from './untrusted.ts';

const list: Command = {
  words: ['workspaces', 'list'],
  summary: 'list the workspaces',
  options: JSON_OPTION,
  async run(call) {
    const door = await call.door();
    const all = await door?.ask('workspacesList', {});
    if (!all) return 1;
    if (call.flag('json')) {
      call.terminal.print(JSON.stringify(all));
      return 0;
    }
    const rows = all.map((workspace) => [workspace.name, `/w/${workspace.slug}/mcp`, workspace.id]);
    for (const line of table(['WORKSPACE', 'PATH', 'ID'], rows)) call.terminal.print(line);
    return 0;
  },
};

const create: Command = {
  words: ['workspaces', 'create'],
  summary: 'make a workspace: its own upstreams, connections, policy and clients',
  takes: ['name'],
  options: JSON_OPTION,
  async run(call) {
    const door = await call.door();
    const made = await door?.ask('workspaceCreate', { name: call.words[0] ?? '' });
    if (!made) return 1;
    if (call.flag('json')) call.terminal.print(JSON.stringify(made.workspace));
    else
      call.terminal.say(
        `The workspace ${visible(made.workspace.name)} is made; its endpoint ends in /w/${made.workspace.slug}/mcp.`,
      );
    return 0;
  },
};

const rename: Command = {
  words: ['workspaces', 'rename'],
  summary: 'call a workspace something else',
  takes: ['workspace', 'name'],
  async run(call) {
    const [old = '', name = ''] = call.words;
    const door = await call.door();
    const workspace = door && (await findWorkspace(call, door, old));
    if (!workspace || !(await door.ask('workspaceRename', { workspace: workspace.id, name }))) return 1;
    call.terminal.say(`The workspace ${visible(workspace.name)} is now called ${visible(name)}.`);
    return 0;
  },
};

const remove: Command = {
  words: ['workspaces', 'remove'],
  summary: 'remove a workspace without upstreams and live keys',
  takes: ['workspace'],
  async run(call) {
    const door = await call.door();
    const workspace = door && (await findWorkspace(call, door, call.words[0] ?? ''));
    if (!workspace || !(await door.ask('workspaceRemove', { workspace: workspace.id }))) return 1;
    call.terminal.say(`The workspace ${visible(workspace.name)} is removed.`);
    return 0;
  },
};

export const workspaceCommands: readonly Command[] = [list, create, rename, remove];
