import { parseSpan } from '../../shared/amounts.ts';
import type { AuditFigures, CallFigures, ExposureFigures, FigureGroup } from '../../shared/model.ts';
import { type Command, JSON_OPTION, WORKSPACE_OPTION } from './command.ts';
import { findWorkspace } from './names.ts';
import { table } from './terminal.ts';
import { visible } from './untrusted.ts';

const figures: Command = {
  words: ['audit', 'figures'],
  summary: 'count calls, decisions, waiting times, errors and the context saved',
  options: {
    since: { type: 'string', value: 'SPAN', help: 'the last 24h, 7d, 4w …; else 7d' },
    by: {
      type: 'string',
      value: 'client|day|client,day',
      help: 'tell apart by client, by day or by both; else client',
    },
    client: { type: 'string', value: 'NAME', help: 'only this client' },
    ...WORKSPACE_OPTION,
    ...JSON_OPTION,
  },
  async run(call) {
    const { terminal } = call;
    const since = call.text('since') ?? '7d';
    const span = parseSpan(since);
    if (span === null) {
      terminal.say(`gatehouse: --since is '${visible(since)}'; give it as 24h, 7d or 4w.`);
      return 1;
    }
    const by = (call.text('by') ?? 'client').split(',');
    if (!by.every((key): key is 'client' | 'day' => key === 'client' || key === 'day')) {
      terminal.say(`gatehouse: --by is '${visible(by.join(','))}'; use client, day or client,day.`);
      return 1;
    }
    const door = await call.door();
    if (!door) return 1;
    const named = call.text('workspace');
    const workspace = named === null ? undefined : await findWorkspace(call, door, named);
    if (workspace === null) return 1;
    const client = call.text('client');
    const answer = await door.ask('auditFigures', {
      from: Date.now() - span,
      by,
      ...(client === null ? {} : { client }),
      ...(workspace === undefined ? {} : { workspace: workspace.name }),
    });
    if (!answer) return 1;
    if (call.flag('json')) terminal.print(JSON.stringify(answer));
    else for (const line of linesOf(answer)) terminal.print(line);
    if (answer.behind > 0) terminal.say(`${answer.behind} entries are not counted yet: the index is being made anew.`);
    return 0;
  },
};

const number = (value: number) => value.toLocaleString('en');

function linesOf({ total, groups }: AuditFigures): readonly string[] {
  return [
    ...summaryOf(total),
    ...exposureLines(total.exposure),
    ...(groups.length === 0 ? [] : ['', ...tableOf(groups)]),
    ...(total.tools.length === 0
      ? []
      : [
          '',
          ...table(
            ['BUSIEST TOOLS', 'CALLS'],
            total.tools.map((tool) => [`${tool.upstream} / ${tool.tool}`, number(tool.calls)]),
          ),
        ]),
  ];
}

function summaryOf({ calls, decisions, outcomes, errorClasses, waiting }: CallFigures): readonly string[] {
  const { allow, require_approval: asked, deny, none } = decisions;
  const list = (pairs: readonly (readonly [string, number])[]) =>
    pairs.map(([name, count]) => `${visible(name)} ${number(count)}`).join(', ') || 'none';
  return [
    `calls      ${number(calls)}`,
    `decisions  ${list([
      ['allow', allow],
      ['require_approval', asked],
      ['deny', deny],
      ['ended before', none],
    ])}`,
    `outcomes   ${list(outcomes.map(({ outcome, calls: count }) => [outcome, count]))}`,
    `errors     ${list(errorClasses.map(({ errorClass, calls: count }) => [errorClass, count]))}`,
    waiting === null
      ? 'waiting    nobody had to wait for an answer'
      : `waiting    ${number(waiting.calls)} calls for a person: half within ${seconds(waiting.medianMs)}, 95 % within ${seconds(waiting.p95Ms)}`,
  ];
}

function exposureLines({
  lists,
  savedBytes,
  savedTokensAbout,
  wholeBytes,
  listedBytes,
  foundBytes,
  finds,
}: ExposureFigures): readonly string[] {
  if (lists === 0) return ['context    no list of tools was given'];
  const [what, bytes, tokens] =
    savedBytes < 0 ? ['more than', -savedBytes, -savedTokensAbout] : ['less than', savedBytes, savedTokensAbout];
  return [
    `context    ${number(bytes)} bytes ${what} listing every tool would have taken, about ${number(tokens)} tokens:`,
    `           ${number(lists)} lists of ${number(listedBytes)} bytes in place of ${number(wholeBytes)}, and ${number(finds)} searches of ${number(foundBytes)}`,
  ];
}

function tableOf(groups: readonly FigureGroup[]): readonly string[] {
  const byDay = groups.some(({ day }) => day !== null);
  const byClient = groups.some(({ clientId }) => clientId !== null);
  const rows = groups.map((group) => [
    ...(byDay ? [group.day ?? '-'] : []),
    ...(byClient ? [group.client ?? '-'] : []),
    number(group.calls),
    number(group.decisions.allow),
    number(group.decisions.require_approval),
    number(group.decisions.deny),
    group.waiting === null ? '-' : seconds(group.waiting.medianMs),
    group.waiting === null ? '-' : seconds(group.waiting.p95Ms),
    group.exposure.lists === 0 ? '-' : number(group.exposure.savedTokensAbout),
  ]);
  const keys = [...(byDay ? ['DAY'] : []), ...(byClient ? ['CLIENT'] : [])];
  return table([...keys, 'CALLS', 'ALLOW', 'ASK', 'DENY', 'MEDIAN WAIT', 'P95', 'TOKENS SAVED'], rows);
}

const seconds = (ms: number) => `${(ms / 1_000).toLocaleString('en', { maximumFractionDigits: 1 })} s`;

export const figureCommands: readonly Command[] = [figures];
