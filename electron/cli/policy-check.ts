import type { Policy, PolicyDifference, PolicyFinding } from '../../shared/model.ts';
import { type Call, type Command, JSON_OPTION, WORKSPACE_OPTION } from './command.ts';
import { explanationLines } from './explanation.ts';
import { findClient, findUpstream, workspaceOption } from './names.ts';
import { readYaml } from './policy-file.ts';
import type { Terminal } from './terminal.ts';
import { visible } from './untrusted.ts';

const lint: Command = {
  words: ['policy', 'lint'],
  summary: 'check a YAML policy without using it; exit code 1 when it has errors',
  takes: ['file'],
  options: {
    strict: { type: 'boolean', help: 'exit code 1 for warnings too' },
    ...WORKSPACE_OPTION,
    ...JSON_OPTION,
  },
  async run(call) {
    const { terminal } = call;
    const yaml = await readYaml(call);
    const found = yaml === null ? null : ((await lintByApp(call, yaml)) ?? (await lintHere(yaml)));
    if (found === null) return 1;
    const { findings, rules } = found;
    if (call.flag('json')) terminal.print(JSON.stringify(findings));
    else sayFindings(findings, call.words[0] ?? '', terminal);
    const errors = findings.filter(({ severity }) => severity === 'error').length;
    const isBad = errors > 0 || (call.flag('strict') && findings.length > 0);
    if (!isBad && !call.flag('json')) {
      const doubts = findings.length === 0 ? '' : `, ${counted(findings.length, 'warning')}`;
      terminal.print(`${visible(call.words[0] ?? '')} is good: ${counted(rules ?? 0, 'rule')}${doubts}.`);
    }
    return isBad ? 1 : 0;
  },
};

interface Linted {
  readonly findings: readonly PolicyFinding[];
  readonly rules: number | null;
}

/** The running app also knows which upstreams and clients there are; null where none runs. */
async function lintByApp(call: Call, yaml: string): Promise<Linted | null> {
  const door = await call.runningDoor();
  if (door === null) return null;
  const workspace = await workspaceOption(call, door);
  return workspace === null ? null : door.ask('policyLint', { workspace, yaml });
}

async function lintHere(yaml: string): Promise<Linted> {
  const { lintPolicy } = await import('../core/policy/lint.ts');
  const { policy, findings } = lintPolicy(yaml, null);
  return { findings, rules: policy?.rules.length ?? null };
}

function sayFindings(findings: readonly PolicyFinding[], file: string, terminal: Terminal): void {
  for (const { severity, message, line, column } of findings) {
    terminal.say(`${visible(file)}:${line}:${column}: ${severity}: ${visible(message)}`);
  }
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** As `diff` has it: nothing differs, something does, it cannot be told. */
const DIFF_CODES = { same: 0, differs: 1, trouble: 2 } as const;

const diff: Command = {
  words: ['policy', 'diff'],
  summary: 'compare a YAML policy with the one in force, or two files; exit code 0 same, 1 differs, 2 cannot be read',
  takes: ['file', 'other?'],
  options: { ...WORKSPACE_OPTION, ...JSON_OPTION },
  async run(call) {
    const [first = '', second] = call.words;
    // With two files the first is what was, with one it is what would be.
    const before = second === undefined ? await activePolicy(call) : await policyIn(call, first);
    const after = before === 'trouble' ? 'trouble' : await policyIn(call, second ?? first);
    if (before === 'trouble' || after === 'trouble') return DIFF_CODES.trouble;
    const { comparePolicies } = await import('../core/policy/compare.ts');
    const difference = comparePolicies(before, after);
    const isSame = difference.defaultEffect === null && difference.rules.length === 0;
    if (call.flag('json')) call.terminal.print(JSON.stringify(difference));
    else if (isSame) call.terminal.print('The two decide alike.');
    else printDifference(difference, call.terminal);
    return isSame ? DIFF_CODES.same : DIFF_CODES.differs;
  },
};

/** The policy of a file; what is wrong with it was said. */
async function policyIn(call: Call, file: string): Promise<Policy | 'trouble'> {
  const yaml = await readYaml(call, file);
  if (yaml === null) return 'trouble';
  const { lintPolicy } = await import('../core/policy/lint.ts');
  const { policy, findings } = lintPolicy(yaml, null);
  if (policy !== null) return policy;
  sayFindings(findings, file, call.terminal);
  return 'trouble';
}

/** Null: there is none. */
async function activePolicy(call: Call): Promise<Policy | null | 'trouble'> {
  const door = await call.door();
  const workspace = door === null ? null : await workspaceOption(call, door);
  if (door === null || workspace === null) return 'trouble';
  const answer = await door.ask('policyGet', { workspace });
  if (answer === null) return 'trouble';
  if (answer.problem !== null) call.terminal.say(`! ${visible(answer.problem)}`);
  return answer.policy;
}

const MARKS = { added: '+', removed: '-', changed: '~' } as const;

function printDifference({ defaultEffect, rules }: PolicyDifference, terminal: Terminal): void {
  if (defaultEffect !== null) {
    terminal.print(`~ default effect: ${defaultEffect.before ?? 'none'} -> ${defaultEffect.after}`);
  }
  for (const { rule, change, members } of rules) {
    terminal.print(`${MARKS[change]} ${visible(rule)}`);
    for (const { member, before, after } of members) {
      terminal.print(
        `    ${member}: ${visible([before, after].filter((side) => side !== null).join(' -> '))}${lost(before, after, change)}`,
      );
    }
  }
}

/** In a changed rule: a member that is there on one side only. */
function lost(before: string | null, after: string | null, change: keyof typeof MARKS): string {
  if (change !== 'changed' || (before !== null && after !== null)) return '';
  return before === null ? ' (new)' : ' (gone)';
}

const test: Command = {
  words: ['policy', 'test'],
  summary: 'check what a policy says of the calls in a file of fixtures; exit code 1 when it is not as expected',
  takes: ['fixtures'],
  options: {
    policy: { type: 'string', value: 'FILE', help: 'this policy; else the one in force' },
    ...WORKSPACE_OPTION,
  },
  async run(call) {
    const { terminal } = call;
    const yaml = await readYaml(call);
    if (yaml === null) return 1;
    const { parseFixtures, runFixture } = await import('../core/policy/fixtures.ts');
    const parsed = parseFixtures(yaml);
    if (parsed.kind === 'faulty') {
      sayFindings(
        parsed.faults.map((fault) => ({ severity: 'error', ...fault })),
        call.words[0] ?? '',
        terminal,
      );
      return 1;
    }
    const file = call.text('policy');
    const policy = file === null ? await activePolicy(call) : await policyIn(call, file);
    if (policy === 'trouble') return 1;
    if (policy === null) {
      terminal.say('gatehouse: There is no policy: every call is denied.');
      return 1;
    }
    const outcomes = parsed.fixtures.map((fixture) => runFixture(policy, fixture));
    for (const { fixture, passed, said, why } of outcomes) {
      terminal.print(
        visible(
          passed ? `ok    ${fixture.name}: ${said}` : `FAIL  ${fixture.name} (line ${fixture.line}): ${said}; ${why}`,
        ),
      );
    }
    const good = outcomes.filter(({ passed }) => passed).length;
    terminal.print(`${good} of ${outcomes.length} as expected.`);
    return good === outcomes.length ? 0 : 1;
  },
};

const decide: Command = {
  words: ['policy', 'decide'],
  summary: 'say what the policy decides of one call, and why, rule by rule; nothing is called',
  takes: ['client', 'upstream', 'tool'],
  options: {
    args: { type: 'string', value: 'JSON', help: 'the arguments; else {}' },
    account: { type: 'string', value: 'LABEL', help: 'the account the call goes out with; else the default one' },
    at: { type: 'string', value: 'TIME', help: 'as if it were that time, such as 2026-11-20T18:00; else now' },
    ...WORKSPACE_OPTION,
    ...JSON_OPTION,
  },
  async run(call) {
    const { terminal } = call;
    const [clientName = '', upstreamName = '', tool = ''] = call.words;
    const account = call.text('account');
    const at = timeOf(call.text('at'));
    if (at === null) {
      terminal.say(`gatehouse: '${visible(call.text('at') ?? '')}' is no time; write 2026-11-20T18:00.`);
      return 1;
    }
    const door = await call.door();
    const client = door === null ? null : await findClient(call, door, clientName);
    const upstream = door === null || client === null ? null : await findUpstream(call, door, upstreamName);
    if (door === null || client === null || upstream === null) return 1;
    const answer = await door.ask('policyDecide', {
      client: client.id,
      upstream: upstream.id,
      tool,
      argumentsText: call.text('args') ?? '{}',
      ...(account === null ? {} : { connection: account }),
      ...at,
    });
    if (!answer) return 1;
    if (call.flag('json')) terminal.print(JSON.stringify(answer.explanation));
    else for (const line of explanationLines(answer.explanation)) terminal.print(line);
    return 0;
  },
};

function timeOf(text: string | null): { readonly at?: number } | null {
  if (text === null) return {};
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : { at };
}

export const policyCheckCommands: readonly Command[] = [lint, diff, test, decide];
