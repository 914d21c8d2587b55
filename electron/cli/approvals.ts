import type { ApprovalView, StandingApprovalView } from '../../shared/model.ts';
import { type Command, JSON_OPTION, WORKSPACE_OPTION } from './command.ts';
import { findClient } from './names.ts';
import { shownTime, type Terminal } from './terminal.ts';
import { visible, visibleLines } from './untrusted.ts';

const list: Command = {
  words: ['approvals', 'list'],
  summary: 'show the calls that wait for you; answering is done in the window or the dashboard',
  options: { all: { type: 'boolean', help: 'answered ones too' }, ...JSON_OPTION },
  async run(call) {
    const door = await call.door();
    const approvals = await door?.ask('approvalsList', { state: call.flag('all') ? 'all' : 'waiting' });
    if (!approvals) return 1;
    if (call.flag('json')) call.terminal.print(JSON.stringify(approvals));
    else for (const approval of approvals) printApproval(approval, call.terminal);
    if (approvals.length === 0) call.terminal.say('No call waits for you.');
    return 0;
  },
};

const watch: Command = {
  words: ['approvals', 'watch'],
  summary: 'show each call as it comes to wait for you, and how it ended, until Ctrl-C',
  options: JSON_OPTION,
  async run(call) {
    const { terminal } = call;
    const door = await call.door();
    if (!door) return 1;
    if (!door.running) {
      terminal.say('gatehouse: Gatehouse is not running, so no call can wait; start it with npm start.');
      return 1;
    }
    const states = new Map<string, string>();
    const look = async (first: boolean) => {
      const approvals = await door.ask('approvalsList', { state: 'all' });
      for (const approval of approvals ?? []) {
        const state = `${approval.state}${approval.callerLeft ? ', caller left' : ''}`;
        const before = states.get(approval.id);
        states.set(approval.id, state);
        if (before === state || (first && approval.state !== 'waiting')) continue;
        if (call.flag('json')) terminal.print(JSON.stringify(approval));
        else if (before === undefined) printApproval(approval, terminal);
        else terminal.print(`${approval.id}  ${state}`);
      }
    };
    // One look at a time: a change seen during one is looked at after it.
    let last = look(true);
    door.subscribe((topic) => {
      if (topic === 'approvals') last = last.then(() => look(false));
    });
    await door.gone;
    await last;
    terminal.say('Gatehouse was closed.');
    return 0;
  },
};

function printApproval(approval: ApprovalView, terminal: Terminal): void {
  const left = approval.callerLeft ? ', caller left' : '';
  terminal.print(`${approval.id}  ${approval.state}${left}  until ${shownTime(approval.expiresAt)}`);
  terminal.print(`  ${visible(approval.client)} calls ${visible(calledName(approval))} (${approval.risk})`);
  terminal.print(
    `  because: ${visible(approval.reason)}${approval.rule === null ? '' : ` (rule ${visible(approval.rule)})`}`,
  );
  terminal.print(visibleLines(approval.argumentsText, '  | '));
  if (approval.held !== null)
    terminal.print(
      `  it has run; its result (${approval.held.resultText.length} characters) is held until you look at it in the window or the dashboard`,
    );
}

/** `github as work / create_issue`: what is called, and as whom. */
function calledName({ upstream, connection, tool }: Pick<ApprovalView, 'upstream' | 'connection' | 'tool'>): string {
  return connection === null ? `${upstream} / ${tool}` : `${upstream} as ${connection} / ${tool}`;
}

const standing: Command = {
  words: ['approvals', 'standing'],
  summary: 'show the approvals that stand: calls that run without asking you again',
  options: {
    search: { type: 'string', value: 'TEXT', help: 'only those whose client, upstream, tool or pinned value has it' },
    ...JSON_OPTION,
  },
  async run(call) {
    const door = await call.door();
    const standing = await door?.ask('standingList', { search: call.text('search') ?? '' });
    if (!standing) return 1;
    if (call.flag('json')) call.terminal.print(JSON.stringify(standing));
    else for (const one of standing) printStanding(one, call.terminal);
    if (standing.length === 0) call.terminal.say('No approval stands.');
    return 0;
  },
};

const revoke: Command = {
  words: ['approvals', 'revoke'],
  summary: 'end a standing approval, or all of a client: its calls are asked for again',
  takes: ['id?'],
  options: {
    client: { type: 'string', value: 'NAME', help: 'all standing approvals of this client' },
    ...WORKSPACE_OPTION,
  },
  async run(call) {
    const [id] = call.words;
    const client = call.text('client');
    if ((id === undefined) === (client === null)) {
      call.terminal.say('gatehouse: Say which: gatehouse approvals revoke <id>, or --client NAME for all of a client.');
      return 1;
    }
    const door = await call.door();
    if (!door) return 1;
    if (client === null) {
      if (!(await door.ask('standingRevoke', { standing: id ?? '' }))) return 1;
      call.terminal.say('Revoked. Calls that it covered are asked for again.');
      return 0;
    }
    const found = await findClient(call, door, client);
    const done = found && (await door.ask('standingRevokeAll', { client: found.id }));
    if (!done) return 1;
    call.terminal.say(`Revoked ${done.revoked} standing ${done.revoked === 1 ? 'approval' : 'approvals'}.`);
    return 0;
  },
};

const SCOPES: Readonly<Record<StandingApprovalView['scope'], string>> = {
  session: 'this session',
  minutes15: '15 minutes',
  tool: 'always',
  values: 'always, with these values',
};

function printStanding(one: StandingApprovalView, terminal: Terminal): void {
  const until = one.expiresAt === null ? '' : `  until ${shownTime(one.expiresAt)}`;
  terminal.print(`${one.id}  ${SCOPES[one.scope]}${until}  used ${one.usedCount} times`);
  terminal.print(`  ${visible(one.client)} may call ${visible(calledName(one))}`);
  for (const { pointer, shown } of one.pins)
    terminal.print(`  | ${pointer === '' ? 'all arguments' : visible(pointer)} = ${visible(shown)}`);
}

export const approvalCommands: readonly Command[] = [list, watch, standing, revoke];
