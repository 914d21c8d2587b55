import type { ApprovalView } from '../../shared/model.ts';
import { type Command, JSON_OPTION } from './command.ts';
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
  terminal.print(
    `  ${visible(approval.client)} calls ${visible(approval.upstream)} / ${visible(approval.tool)} (${approval.risk})`,
  );
  terminal.print(
    `  because: ${visible(approval.reason)}${approval.rule === null ? '' : ` (rule ${visible(approval.rule)})`}`,
  );
  terminal.print(visibleLines(approval.argumentsText, '  | '));
}

export const approvalCommands: readonly Command[] = [list, watch];
