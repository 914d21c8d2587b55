import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Rule } from '../../shared/model.ts';
import { type Command, JSON_OPTION, WORKSPACE_OPTION } from './command.ts';
import { workspaceOption } from './names.ts';
import { readYaml, reasonOf } from './policy-file.ts';
import { visible } from './untrusted.ts';

const show: Command = {
  words: ['policy', 'show'],
  summary: 'show the rules and what happens to calls that no rule matches',
  options: { ...WORKSPACE_OPTION, ...JSON_OPTION },
  async run(call) {
    const door = await call.door();
    if (!door) return 1;
    const workspace = await workspaceOption(call, door);
    if (workspace === null) return 1;
    const answer = await door.ask('policyGet', { workspace });
    if (!answer) return 1;
    const { terminal } = call;
    if (call.flag('json')) {
      terminal.print(JSON.stringify(answer));
      return 0;
    }
    if (answer.problem !== null) terminal.print(`! ${visible(answer.problem)}`);
    if (!answer.policy) {
      terminal.print('There is no policy: every call is denied.');
      return 0;
    }
    for (const rule of answer.policy.rules) terminal.print(ruleLine(rule));
    terminal.print(`everything else: ${answer.policy.defaultEffect}`);
    return 0;
  },
};

function ruleLine(rule: Rule): string {
  const { name, effect, match, reason, ...modifiers } = rule;
  const does = [...(effect === undefined ? [] : [effect]), ...members(modifiers)].join(', ');
  const when = members(match).join(', ') || 'every call';
  const said = reason === undefined ? '' : `   "${reason}"`;
  return visible(`${name}: ${does} ${when}${said}`);
}

function members(values: object): readonly string[] {
  return Object.entries(values).map(([member, value]) => `${member} ${JSON.stringify(value)}`);
}

const exportPolicy: Command = {
  words: ['policy', 'export'],
  summary: 'print the policy as YAML',
  options: { out: { type: 'string', value: 'FILE', help: 'write it to this file instead' }, ...WORKSPACE_OPTION },
  async run(call) {
    const door = await call.door();
    if (!door) return 1;
    const workspace = await workspaceOption(call, door);
    if (workspace === null) return 1;
    const answer = await door.ask('policyExport', { workspace });
    if (!answer) return 1;
    const out = call.text('out');
    if (out === null) {
      call.terminal.print(answer.yaml.trimEnd());
      return 0;
    }
    const path = resolve(call.cwd, out);
    try {
      writeFileSync(path, answer.yaml);
    } catch (error) {
      call.terminal.say(`gatehouse: ${visible(path)} cannot be written: ${reasonOf(error)}.`);
      return 1;
    }
    call.terminal.say(`The policy is in ${visible(path)}.`);
    return 0;
  },
};

const importPolicy: Command = {
  words: ['policy', 'import'],
  summary: 'put a YAML file in the place of the policy; you confirm it',
  takes: ['file'],
  options: WORKSPACE_OPTION,
  async run(call) {
    const yaml = await readYaml(call);
    if (yaml === null) return 1;
    const door = await call.door();
    if (!door) return 1;
    const workspace = await workspaceOption(call, door);
    if (workspace === null) return 1;
    const done = await door.ask('policyImport', { workspace, yaml });
    if (!done) return 1;
    const rules = done.policy.rules.length;
    call.terminal.say(
      `The policy is in force: ${rules} ${rules === 1 ? 'rule' : 'rules'}, everything else: ${done.policy.defaultEffect}.`,
    );
    return 0;
  },
};

export const policyCommands: readonly Command[] = [show, exportPolicy, importPolicy];
