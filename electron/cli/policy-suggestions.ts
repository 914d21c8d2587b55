import type { PolicySuggestion } from '../../shared/model.ts';
import { type Call, type Command, JSON_OPTION, WORKSPACE_OPTION } from './command.ts';
import type { Door } from './door.ts';
import { workspaceOption } from './names.ts';
import type { Terminal } from './terminal.ts';
import { visible, visibleLines } from './untrusted.ts';

const suggestions: Command = {
  words: ['policy', 'suggestions'],
  summary: 'show the rules that your own answers suggest; apply one (you confirm it), or dismiss it',
  takes: ['apply|dismiss?', 'suggestion?'],
  options: {
    narrower: { type: 'boolean', help: 'apply it only for the arguments that all those calls had in common' },
    ...WORKSPACE_OPTION,
    ...JSON_OPTION,
  },
  async run(call) {
    const [action = 'show', suggestion = ''] = call.words;
    const act = ACTIONS[action];
    if (act === undefined || (action !== 'show' && suggestion === '')) {
      call.terminal.say(
        "gatehouse: write 'policy suggestions', 'policy suggestions apply <suggestion>' or 'policy suggestions dismiss <suggestion>'.",
      );
      return 1;
    }
    const door = await call.door();
    const workspace = door === null ? null : await workspaceOption(call, door);
    return door === null || workspace === null ? 1 : act(call, door, workspace, suggestion);
  },
};

type Act = (call: Call, door: Door, workspace: string | undefined, suggestion: string) => Promise<number>;

const ACTIONS: Readonly<Record<string, Act>> = {
  async show(call, door, workspace) {
    const answer = await door.ask('policySuggestions', { workspace });
    if (!answer) return 1;
    const { terminal } = call;
    if (call.flag('json')) terminal.print(JSON.stringify(answer.suggestions));
    else for (const suggestion of answer.suggestions) printSuggestion(suggestion, terminal);
    if (answer.suggestions.length === 0) terminal.say('Your answers of the last 30 days suggest no rule.');
    return 0;
  },
  async apply(call, door, workspace, suggestion) {
    const done = await door.ask('policySuggestionApply', { workspace, suggestion, narrower: call.flag('narrower') });
    if (!done) return 1;
    call.terminal.say(`The rule ${visible(done.rule.name)} is in force.`);
    return 0;
  },
  async dismiss(call, door, workspace, suggestion) {
    if (!(await door.ask('policySuggestionDismiss', { workspace, suggestion }))) return 1;
    call.terminal.say('It is not suggested again.');
    return 0;
  },
};

function printSuggestion(suggestion: PolicySuggestion, terminal: Terminal): void {
  const { id, effect, client, upstream, tool, times, rule, narrower, replay } = suggestion;
  const [did, never, then] = effect === 'allow' ? ['approved', 'denied', 'allow'] : ['denied', 'approved', 'deny'];
  terminal.print(
    `${id}  ${did} ${visible(tool)} of ${visible(upstream)} ${times} times from ${visible(client)}, never ${never}: ${then} it?`,
  );
  terminal.print(`  It would change ${replay.changed} of its latest ${replay.calls} calls.`);
  terminal.print(visibleLines(JSON.stringify(rule), '  rule      '));
  if (narrower !== null) terminal.print(visibleLines(JSON.stringify(narrower.match.arguments), '  narrower  '));
}

export const policySuggestionCommands: readonly Command[] = [suggestions];
