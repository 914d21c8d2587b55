import { parseSpan } from '../../shared/amounts.ts';
import type { ReplayedCall, ReplayReport } from '../../shared/model.ts';
import { type Call, type Command, JSON_OPTION, WORKSPACE_OPTION } from './command.ts';
import type { Door } from './door.ts';
import { workspaceOption } from './names.ts';
import { readYaml } from './policy-file.ts';
import { shownTime, type Terminal, table } from './terminal.ts';
import { visible } from './untrusted.ts';

const replay: Command = {
  words: ['policy', 'replay'],
  summary: 'say what a YAML policy would have done with the calls of the audit; nothing is changed',
  takes: ['file'],
  options: {
    since: { type: 'string', value: '7d', help: 'the calls since then, at most 100000' },
    calls: { type: 'string', value: 'N', help: 'the latest N calls; else 10000' },
    ...WORKSPACE_OPTION,
    ...JSON_OPTION,
  },
  async run(call) {
    const { terminal } = call;
    const span = spanOf(call);
    if (typeof span === 'string') {
      terminal.say(`gatehouse: ${span}`);
      return 1;
    }
    const yaml = await readYaml(call);
    const door = yaml === null ? null : await call.door();
    const workspace = door === null ? null : await workspaceOption(call, door);
    if (yaml === null || door === null || workspace === null) return 1;
    const stop = sayProgress(door, terminal);
    const answer = await door.ask('policyReplay', { workspace, yaml, ...span, list: MOST_LISTED }).finally(stop);
    if (!answer) return 1;
    if (call.flag('json')) terminal.print(JSON.stringify(answer.report));
    else printReport(answer.report, terminal);
    return 0;
  },
};

/** Every two seconds, on stderr, to whoever sits there. */
function sayProgress(door: Door, terminal: Terminal): () => void {
  if (!terminal.interactive) return () => {};
  const timer = setInterval(async () => {
    const progress = await door.ask('policyReplayProgress', {});
    const looked = progress?.looked ?? null;
    if (looked !== null) terminal.say(`Looking through the audit: ${looked} calls so far …`);
  }, 2_000);
  return () => clearInterval(timer);
}

/** Calls that are named one by one. */
export const MOST_LISTED = 10_000;

/** A sentence when it cannot be read. */
function spanOf(call: Call): { sinceMs?: number; calls?: number } | string {
  const [since, calls] = [call.text('since'), call.text('calls')];
  const sinceMs = since === null ? undefined : parseSpan(since);
  if (sinceMs === null) return `'${visible(since ?? '')}' is not a time span; write 24h or 7d.`;
  const count = calls === null ? undefined : Number(calls);
  if (count !== undefined && !(Number.isInteger(count) && count >= 1 && count <= 100_000))
    return '--calls is a number from 1 to 100000.';
  return {
    ...(sinceMs === undefined ? {} : { sinceMs, calls: 100_000 }),
    ...(count === undefined ? {} : { calls: count }),
  };
}

/** Counts, then the calls that are decided otherwise, then those of which it cannot be told. */
export function printReport(report: ReplayReport, terminal: Terminal): void {
  const { calls, from, to, same, changed, cannotTell, steps, modified } = report;
  if (calls === 0) {
    terminal.print('The audit has no calls from that time.');
    return;
  }
  terminal.print(
    `${calls} calls from ${shownTime(from)} to ${shownTime(to)}: ${same} decided the same, ${changed} otherwise, of ${cannotTell} it cannot be told.`,
  );
  for (const step of steps) terminal.print(`  ${step.before} -> ${step.after}: ${step.calls}`);
  for (const [what, count] of Object.entries(modified)) if (count > 0) terminal.print(`  ${what} applies to: ${count}`);
  if (report.changes.length > 0) {
    terminal.print('');
    for (const line of table(['TIME', 'CLIENT', 'CALL', 'BEFORE', 'AFTER', 'RECORD'], report.changes.map(changeRow)))
      terminal.print(line);
  }
  if (report.changes.length < changed)
    terminal.print(`… and ${changed - report.changes.length} more calls that are decided otherwise.`);
  if (report.untold.length > 0) {
    terminal.print('');
    for (const line of table(['TIME', 'CLIENT', 'CALL', 'CANNOT TELL', 'RECORD'], report.untold.map(untoldRow)))
      terminal.print(line);
  }
}

const changeRow = ({ at, client, upstream, tool, before, after, requestId }: ReplayedCall) => [
  shownTime(at),
  client,
  `${upstream}/${tool}`,
  sayOutcome(before),
  sayOutcome(after),
  requestId,
];

const untoldRow = ({ at, client, upstream, tool, cannotTell, requestId }: ReplayedCall) => [
  shownTime(at),
  client,
  `${upstream}/${tool}`,
  cannotTell ?? '',
  requestId,
];

function sayOutcome({ outcome, rule }: ReplayedCall['before']): string {
  return rule === null ? outcome : `${outcome} by ${rule}`;
}

export const policyReplayCommands: readonly Command[] = [replay];
