import { differenceOf } from '../../shared/difference.ts';
import { countOf, wordFor } from '../../shared/kinds.ts';
import type { Definition, DefinitionKind, Risk, ToolView } from '../../shared/model.ts';
import { type Stretch, wordDifference } from '../../shared/word-difference.ts';
import { type Call, type Command, JSON_OPTION, WORKSPACE_OPTION } from './command.ts';
import { findUpstream } from './names.ts';
import { didYouMean } from './nearest.ts';
import type { Terminal } from './terminal.ts';
import { visible, visibleLines } from './untrusted.ts';

const RISKS: readonly Risk[] = ['read', 'write', 'destructive'];

export const upstreamsReview: Command = {
  words: ['upstreams', 'review'],
  summary: 'read everything a model would read of what waits for review, and accept it',
  takes: ['name'],
  options: {
    accept: { type: 'boolean', help: 'accept them after you have read them' },
    yes: { type: 'boolean', help: 'with --accept: do not ask again here' },
    tool: { type: 'string', value: 'NAME', help: 'only this tool, prompt or resource template', multiple: true },
    risk: {
      type: 'string',
      value: 'TOOL=RISK',
      help: 'risk of a tool, if not as proposed: read, write, destructive',
      multiple: true,
    },
    ...WORKSPACE_OPTION,
    ...JSON_OPTION,
  },
  async run(call) {
    const { terminal } = call;
    const door = await call.door();
    const upstream = door && (await findUpstream(call, door, call.words[0] ?? ''));
    if (!upstream) return 1;
    const all = await door.ask('toolsList', { upstream: upstream.id });
    if (!all) return 1;
    const waiting = all.filter(
      (tool) => tool.offered !== null && (tool.state === 'awaiting_review' || tool.state === 'changed'),
    );
    const chosen = choose(waiting, call);
    const risks = typeof chosen === 'string' ? chosen : readRisks(chosen, call);
    if (typeof chosen === 'string' || typeof risks === 'string') {
      terminal.say(`gatehouse: ${typeof chosen === 'string' ? chosen : risks}`);
      return 1;
    }
    if (call.flag('json')) terminal.print(JSON.stringify(chosen));
    else for (const tool of chosen) printTool(tool, riskOf(tool, risks), terminal);
    for (const problem of upstream.leftOut) terminal.say(visible(problem));
    if (chosen.length === 0) {
      const why =
        upstream.status === 'ready'
          ? ''
          : ` It is ${upstream.status}${upstream.reason ? `: ${visible(upstream.reason)}` : ''}.`;
      terminal.say(`Nothing of ${upstream.name} waits for review.${why}`);
      return 0;
    }
    if (!call.flag('accept')) {
      terminal.say(
        `${countOf(chosen)} of ${upstream.name} to review. To accept: gatehouse upstreams review ${upstream.name} --accept`,
      );
      return 0;
    }
    if (
      !call.flag('yes') &&
      !(await terminal.askYes(`Accept ${countOf(chosen)} of ${upstream.name} as shown${warned(chosen)}? [y/N] `))
    ) {
      const how = terminal.interactive ? '' : ' Nobody can be asked here: give --yes as well.';
      terminal.say(`Nothing was accepted.${how}`);
      return 1;
    }
    const done = await door.ask('toolsReview', {
      upstream: upstream.id,
      accept: chosen.map((tool) => ({
        kind: tool.kind,
        name: tool.name,
        fingerprint: tool.fingerprint,
        risk: riskOf(tool, risks),
      })),
    });
    if (!done) return 1;
    terminal.say(`${countOf(chosen)} of ${upstream.name} accepted${warned(chosen)}.`);
    return 0;
  },
};

/** The same where somebody looks for it among the tools. */
export const toolsReview: Command = { ...upstreamsReview, words: ['tools', 'review'] };

const warned = (tools: readonly ToolView[]): string => {
  const count = tools.filter(({ flags }) => flags.length > 0).length;
  return count === 0 ? '' : `, ${count} of them with warnings`;
};

function choose(waiting: readonly ToolView[], call: Call): readonly ToolView[] | string {
  const names = call.texts('tool');
  if (names.length === 0) return waiting;
  const known = waiting.map((tool) => tool.name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    return `No tool '${visible(unknown)}' waits for review.${didYouMean(unknown, known, visible)}`;
  }
  return waiting.filter((tool) => names.includes(tool.name));
}

function readRisks(tools: readonly ToolView[], call: Call): ReadonlyMap<string, Risk> | string {
  const risks = new Map<string, Risk>();
  const known = tools.filter(({ kind }) => kind === 'tool').map(({ name }) => name);
  for (const text of call.texts('risk')) {
    const cut = text.lastIndexOf('=');
    const name = text.slice(0, cut);
    const wanted = text.slice(cut + 1);
    const risk = RISKS.find((candidate) => candidate === wanted);
    if (cut < 1 || !risk) return `'${visible(text)}' is not a risk; write --risk <tool>=read, write or destructive.`;
    if (!known.includes(name)) return `No tool '${visible(name)}' waits for review.${didYouMean(name, known, visible)}`;
    risks.set(name, risk);
  }
  return risks;
}

/** Only a tool's risk is the person's to say: getting a prompt or a resource is reading. */
const riskOf = (tool: ToolView, risks: ReadonlyMap<string, Risk>): Risk =>
  (tool.kind === 'tool' ? risks.get(tool.name) : undefined) ?? tool.proposedRisk;

/** Members of a definition that stand in our own lines; everything else is shown as JSON. */
const SHOWN_APART: Readonly<Record<DefinitionKind, ReadonlySet<string>>> = {
  tool: new Set(['name', 'title', 'description']),
  prompt: new Set(['name', 'title', 'description']),
  resource_template: new Set(['uriTemplate', 'title', 'description']),
};
const MARGIN = '    | ';

/** Everything of one definition, nothing cut short. Their text stands behind a margin, so that it cannot pose as ours. */
function printTool(tool: ToolView, risk: Risk, terminal: Terminal): void {
  if (!tool.offered) return;
  const kind = tool.kind === 'tool' ? '' : `   ${wordFor(tool.kind)}`;
  terminal.print(`${visible(tool.name)}${kind}   risk: ${risk}   ${tool.state === 'changed' ? 'CHANGED' : 'new'}`);
  for (const flag of tool.flags) terminal.print(`  ! ${visible(flag)}`);
  if (tool.reviewed && tool.state === 'changed') printDifference(tool.reviewed, tool.offered, terminal);
  const { title, description } = tool.offered;
  if (title !== undefined) printText('title', title, terminal);
  printText('description', description ?? '(none)', terminal);
  for (const [member, value] of Object.entries(tool.offered)) {
    if (!SHOWN_APART[tool.kind].has(member)) printText(visible(member), JSON.stringify(value, null, 2), terminal);
  }
  terminal.print('');
}

/** Both texts in full, the words that changed marked as `[-removed-]` and `{+added+}`. */
function printDifference(reviewed: Definition, offered: Definition, terminal: Terminal): void {
  for (const { member, before, after } of differenceOf(reviewed, offered)) {
    terminal.print(`  changed: ${visible(member)}`);
    if (before === null || after === null) {
      terminal.print(before === null ? '    - (was not there)' : visibleLines(before, '    - '));
      terminal.print(after === null ? '    + (is gone)' : visibleLines(after, '    + '));
      continue;
    }
    const stretches = wordDifference(before, after);
    terminal.print(visibleLines(marked(stretches, 'added'), '    - '));
    terminal.print(visibleLines(marked(stretches, 'removed'), '    + '));
  }
}

/** Line by line, so that each line shows by itself what of it changed. */
function marked(stretches: readonly Stretch[], without: Stretch['kind']): string {
  return stretches
    .filter(({ kind }) => kind !== without)
    .map(({ kind, text }) => {
      const honest = withoutMarks(text);
      if (kind === 'same') return honest;
      const mark = (line: string) => (kind === 'removed' ? `[-${line}-]` : `{+${line}+}`);
      return /^\s+$/.test(honest) ? mark(visible(honest)) : honest.replace(/[^\r\n]+/g, mark);
    })
    .join('');
}

/** The marks are ours: where the text has the same signs, the first of the two is written as its code. */
const withoutMarks = (text: string): string =>
  text.replace(/\[-|-\]|\{\+|\+\}/g, (sign) => `\\u{${sign.charCodeAt(0).toString(16)}}${sign.slice(1)}`);

function printText(label: string, text: string, terminal: Terminal): void {
  terminal.print(`  ${label}:`);
  terminal.print(visibleLines(text, MARGIN));
}
