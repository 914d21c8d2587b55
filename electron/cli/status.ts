import { type Command, JSON_OPTION } from './command.ts';
import { connectText } from './connect-lines.ts';
import { printPauses } from './pauses.ts';
import { printTrusts } from './trusts.ts';
import { visible } from './untrusted.ts';

const status: Command = {
  words: ['status'],
  summary: 'say whether Gatehouse runs, where, and what needs you',
  options: JSON_OPTION,
  async run(call) {
    const { terminal } = call;
    const door = await call.door();
    const view = await door?.ask('status', {});
    if (!door || !view) return 1;
    if (call.flag('json')) {
      terminal.print(JSON.stringify({ running: door.running, ...view }));
      return 0;
    }
    terminal.print(`Gatehouse ${view.version} ${door.running ? `is running (${view.mode})` : 'is not running'}`);
    if (door.running) terminal.print(`endpoint     ${view.endpoint}`);
    terminal.print(`data folder  ${visible(view.dataFolder)}`);
    if (door.running) terminal.print(`health       ${view.healthy ? 'ok' : 'degraded'}`);
    if (door.running) terminal.print(`waiting      ${view.waiting} ${view.waiting === 1 ? 'call' : 'calls'}`);
    printPauses(view.pauses, terminal);
    printTrusts(view.trusts, terminal);
    for (const banner of view.banners) terminal.print(`! ${visible(banner)}`);
    for (const name of view.secretsLost ?? []) terminal.print(`  lost with the key: ${visible(name)}`);
    return 0;
  },
};

const dashboard: Command = {
  words: ['dashboard'],
  summary: 'print a one-time link to the dashboard (headless)',
  options: JSON_OPTION,
  async run(call) {
    const door = await call.door();
    if (!door) return 1;
    if (!door.running) {
      call.terminal.say('gatehouse: Gatehouse is not running, so it has no dashboard; start it with npm start.');
      return 1;
    }
    const made = await door.ask('dashboardLink', {});
    if (!made) return 1;
    call.terminal.print(call.flag('json') ? JSON.stringify({ link: made.link }) : made.link);
    call.terminal.say('Open it in a browser on this machine. It works once.');
    return 0;
  },
};

const connect: Command = {
  words: ['connect'],
  summary: 'print ready-to-paste lines for Claude Code, Codex, Gemini CLI and others',
  options: JSON_OPTION,
  async run(call) {
    const door = await call.door();
    const answer = await door?.ask('connectLines', {});
    if (!answer) return 1;
    if (call.flag('json')) {
      call.terminal.print(JSON.stringify(answer));
      return 0;
    }
    for (const line of connectText(answer)) call.terminal.print(line);
    return 0;
  },
};

export const statusCommands: readonly Command[] = [status, dashboard, connect];
