import { type Call, type Command, JSON_OPTION, WORKSPACE_OPTION } from './command.ts';
import type { Door } from './door.ts';
import { workspaceOption } from './names.ts';
import { readYaml } from './policy-file.ts';
import { MOST_LISTED, printReport } from './policy-replay.ts';
import { shownTime } from './terminal.ts';
import { visible } from './untrusted.ts';

const shadow: Command = {
  words: ['policy', 'shadow'],
  summary: 'ask a draft about every call beside the policy, which alone rules: start <file>, stop, report',
  takes: ['start|stop|report', 'file?'],
  options: { ...WORKSPACE_OPTION, ...JSON_OPTION },
  async run(call) {
    const [action = ''] = call.words;
    const act = ACTIONS[action];
    const problem =
      act === undefined
        ? `There is no 'policy shadow ${visible(action)}'; there are start, stop and report.`
        : wrongFile(call, action);
    if (act === undefined || problem !== null) {
      call.terminal.say(`gatehouse: ${problem}`);
      return 1;
    }
    // The file is read before anything is opened, so that a slip of the finger changes nothing.
    const yaml = action === 'start' ? await readYaml(call, call.words[1]) : '';
    const door = yaml === null ? null : await call.door();
    const workspace = door === null ? null : await workspaceOption(call, door);
    if (yaml === null || door === null || workspace === null) return 1;
    return act(call, door, workspace, yaml);
  },
};

type Act = (call: Call, door: Door, workspace: string | undefined, yaml: string) => Promise<number>;

const ACTIONS: Readonly<Record<string, Act>> = {
  async start(call, door, workspace, yaml) {
    if (!(await door.ask('policyShadowStart', { workspace, yaml }))) return 1;
    call.terminal.say(
      'The draft is asked about every call from now on; the policy rules as before. See: gatehouse policy shadow report',
    );
    return 0;
  },
  async stop(call, door, workspace) {
    if (!(await door.ask('policyShadowStop', { workspace }))) return 1;
    call.terminal.say('The shadow is stopped; what it said stays in the audit.');
    return 0;
  },
  async report(call, door, workspace) {
    const answer = await door.ask('policyShadow', { workspace, list: MOST_LISTED });
    if (!answer) return 1;
    const { terminal } = call;
    if (call.flag('json')) terminal.print(JSON.stringify(answer.shadow));
    else if (answer.shadow === null) terminal.say('No shadow runs.');
    else {
      terminal.print(
        `A shadow runs since ${shownTime(answer.shadow.startedAt)}, started by ${visible(answer.shadow.by)}.`,
      );
      printReport(answer.shadow.report, terminal);
    }
    return 0;
  },
};

function wrongFile(call: Call, action: string): string | null {
  const hasFile = call.words[1] !== undefined;
  if (action === 'start' && !hasFile) return "'policy shadow start' needs a file.";
  return action !== 'start' && hasFile ? `'policy shadow ${action}' takes no file.` : null;
}

export const policyShadowCommands: readonly Command[] = [shadow];
