import { wordFor } from '../../shared/kinds.ts';
import type { Effect } from '../../shared/model.ts';
import { type Command, JSON_OPTION, WORKSPACE_OPTION } from './command.ts';
import { findClient, findUpstream, workspaceOption } from './names.ts';
import { table } from './terminal.ts';
import { visible } from './untrusted.ts';

const list: Command = {
  words: ['tools', 'list'],
  summary: 'list every tool, prompt and resource template, its risk and whether it is reviewed',
  options: {
    upstream: { type: 'string', value: 'NAME', help: 'only of this upstream' },
    ...WORKSPACE_OPTION,
    ...JSON_OPTION,
  },
  async run(call) {
    const door = await call.door();
    if (!door) return 1;
    const workspace = await workspaceOption(call, door);
    if (workspace === null) return 1;
    const name = call.text('upstream');
    const upstream = name === null ? undefined : await findUpstream(call, door, name);
    if (upstream === null) return 1;
    const tools = await door.ask('toolsList', { workspace, upstream: upstream?.id });
    if (!tools) return 1;
    if (call.flag('json')) {
      call.terminal.print(JSON.stringify(tools));
      return 0;
    }
    const rows = tools.map((tool) => [
      tool.exposedName ?? '',
      tool.upstream,
      wordFor(tool.kind),
      visible(tool.name),
      tool.risk,
      tool.state.replace('_', ' '),
      tool.flags.length === 0 ? '' : `! ${tool.flags.length} ${tool.flags.length === 1 ? 'warning' : 'warnings'}`,
    ]);
    for (const line of table(['EXPOSED NAME', 'UPSTREAM', 'KIND', 'NAME', 'RISK', 'STATE', ''], rows))
      call.terminal.print(line);
    return 0;
  },
};

const EFFECTS: Readonly<Record<Effect, string>> = {
  allow: 'runs at once',
  deny: 'denied',
  require_approval: 'asks you',
};

const find: Command = {
  words: ['tools', 'find'],
  summary: "search as the agent's find_tools would",
  takes: ['query'],
  options: {
    limit: { type: 'string', value: 'N', help: 'how many, 1 to 50; else 10' },
    client: { type: 'string', value: 'NAME', help: 'what this client would find' },
    ...WORKSPACE_OPTION,
    ...JSON_OPTION,
  },
  async run(call) {
    const limit = Number(call.text('limit') ?? '10');
    if (!Number.isInteger(limit) || limit < 1 || limit > 50) {
      call.terminal.say('gatehouse: --limit is a number from 1 to 50.');
      return 1;
    }
    const door = await call.door();
    if (!door) return 1;
    const name = call.text('client');
    const client = name === null ? undefined : await findClient(call, door, name);
    if (client === null) return 1;
    const workspace = await workspaceOption(call, door);
    if (workspace === null) return 1;
    const answer = await door.ask('toolsFind', { query: call.words[0] ?? '', limit, client: client?.id, workspace });
    if (!answer) return 1;
    if (call.flag('json')) {
      call.terminal.print(JSON.stringify(answer));
      return 0;
    }
    for (const { tool, upstream, decision } of answer.found) {
      const rule = decision.rule === null ? '' : ` (${visible(decision.rule)})`;
      call.terminal.print(
        `${visible(tool.exposedName ?? tool.name)}   ${visible(upstream)}   ${tool.risk}, ${EFFECTS[decision.effect]}${rule}`,
      );
      const description = (tool.reviewed ?? tool.offered)?.description ?? '';
      if (description !== '') call.terminal.print(`    ${visible(description)}`);
    }
    for (const note of answer.notes) call.terminal.say(visible(note));
    return 0;
  },
};

export const toolCommands: readonly Command[] = [list, find];
