import { parseSpan } from '../../shared/amounts.ts';
import type { RequestInput } from '../../shared/api.ts';
import type { AuditRecordView, ExplainedRecord } from '../../shared/model.ts';
import { recordLine, sayProgress } from './audit-lines.ts';
import { type Call, type Command, JSON_OPTION, type Option } from './command.ts';
import { explanationLines } from './explanation.ts';
import { shownTime } from './terminal.ts';
import { visible } from './untrusted.ts';

/** Which records, as every command that looks for some takes it. */
const QUERY = {
  client: { type: 'string', value: 'C', help: 'of this client, by label or id' },
  upstream: { type: 'string', value: 'U', help: 'to this upstream' },
  tool: { type: 'string', value: 'T', help: 'of this tool, by its own name' },
  decision: { type: 'string', value: 'D', help: 'allow, deny or require_approval' },
  rule: { type: 'string', value: 'R', help: 'decided by this rule' },
  outcome: { type: 'string', value: 'O', help: 'answered, refused, failed …' },
  class: { type: 'string', value: 'E', help: 'with this error class' },
  kind: { type: 'string', value: 'K', help: 'tool_call, or an event: key_created, policy_changed …' },
  workspace: { type: 'string', value: 'W', help: 'of this workspace, by name' },
  since: { type: 'string', value: 'WHEN', help: 'not older: 2h, 7d, or 2026-11-20 (or with a time)' },
  until: { type: 'string', value: 'WHEN', help: 'older than that' },
  text: { type: 'string', value: 'WORDS', help: 'that hold all these words; the last may be a beginning' },
} as const satisfies Record<string, Option>;

type Query = Omit<RequestInput<'auditList'>, 'before' | 'limit'>;

/** Null: something was not as it must be, and that was said. */
function queryOf(call: Call): Query | null {
  const effect = call.text('decision');
  if (effect !== null && effect !== 'allow' && effect !== 'deny' && effect !== 'require_approval') {
    call.terminal.say('gatehouse: --decision is allow, deny or require_approval.');
    return null;
  }
  const [from, to] = [timeOption(call, 'since'), timeOption(call, 'until')];
  if (from === 'bad' || to === 'bad') return null;
  const texts = {
    client: call.text('client'),
    upstream: call.text('upstream'),
    tool: call.text('tool'),
    rule: call.text('rule'),
    outcome: call.text('outcome'),
    errorClass: call.text('class'),
    kind: call.text('kind'),
    workspace: call.text('workspace'),
    text: call.text('text'),
    effect,
    from,
    to,
  };
  return Object.fromEntries(Object.entries(texts).filter(([, value]) => value !== null)) as Query;
}

function timeOption(call: Call, option: 'since' | 'until'): number | null | 'bad' {
  const given = call.text(option);
  if (given === null) return null;
  const ago = parseSpan(given);
  if (ago !== null) return Date.now() - ago;
  // A date alone is midnight here, as whoever types it means.
  const at = /^\d{4}-\d{2}-\d{2}$/.test(given) ? new Date(`${given}T00:00`).getTime() : Date.parse(given);
  if (Number.isFinite(at)) return at;
  call.terminal.say(`gatehouse: --${option} is a span (2h, 7d) or a time (2026-11-20, 2026-11-20T14:30).`);
  return 'bad';
}

const list: Command = {
  words: ['audit', 'list'],
  summary: 'find records, newest first',
  options: { ...QUERY, lines: { type: 'string', short: 'n', value: 'N', help: 'how many; else 50' }, ...JSON_OPTION },
  async run(call) {
    const { terminal } = call;
    let left = Number(call.text('lines') ?? '50');
    if (!Number.isInteger(left) || left < 1) {
      terminal.say('gatehouse: --lines is a number from 1 on.');
      return 1;
    }
    const query = queryOf(call);
    const door = query === null ? null : await call.door();
    if (!query || !door) return 1;
    let shown = 0;
    for (let before: number | null = Number.MAX_SAFE_INTEGER; before !== null && left > 0; ) {
      const page: Page | null = await door.ask('auditList', { ...query, before, limit: Math.min(left, 500) });
      if (!page) return 1;
      if (shown === 0 && page.behind > 0) terminal.say(BEHIND(page.behind));
      for (const record of page.records)
        terminal.print(call.flag('json') ? JSON.stringify(record) : recordLine(record));
      shown += page.records.length;
      left -= page.records.length;
      before = page.nextBefore;
    }
    if (shown === 0) terminal.say('No record matches.');
    return 0;
  },
};

type Page = {
  readonly records: readonly AuditRecordView[];
  readonly nextBefore: number | null;
  readonly behind: number;
};

const BEHIND = (entries: number) =>
  `The index of the audit is being made: ${entries} entries cannot be found yet. They are recorded; try again soon.`;

const show: Command = {
  words: ['audit', 'show'],
  summary: 'show everything that one record holds',
  takes: ['id'],
  options: JSON_OPTION,
  async run(call) {
    const { terminal } = call;
    const [requestId = ''] = call.words;
    const door = await call.door();
    const page = await door?.ask('auditList', { requestId, limit: 1 });
    if (!page) return 1;
    const [record] = page.records;
    if (record === undefined) {
      terminal.say(`gatehouse: There is no record "${visible(requestId)}" in the audit.`);
      return 1;
    }
    if (call.flag('json')) {
      terminal.print(JSON.stringify(record));
      return 0;
    }
    const { entries, at, ...members } = record;
    terminal.print(`time             ${shownTime(at)}`);
    for (const [name, value] of Object.entries(members))
      if (value !== null && value !== false) terminal.print(`${name.padEnd(16)} ${visible(String(value))}`);
    for (const entry of entries) {
      terminal.print(`entry ${entry.seq}: ${entry.phase}, ${shownTime(entry.at)}, ${visible(entry.kind)}`);
      for (const [name, value] of Object.entries(entry.detail))
        if (value !== null)
          terminal.print(`  ${visible(name)}: ${visible(typeof value === 'string' ? value : JSON.stringify(value))}`);
    }
    return 0;
  },
};

const explain: Command = {
  words: ['audit', 'explain'],
  summary: 'show every rule that was considered for one call, and why it did or did not match',
  takes: ['id'],
  options: JSON_OPTION,
  async run(call) {
    const door = await call.door();
    const answer = await door?.ask('auditExplain', { requestId: call.words[0] ?? '' });
    if (!answer) return 1;
    const { explained } = answer;
    for (const line of call.flag('json') ? [JSON.stringify(explained)] : explainedLines(explained))
      call.terminal.print(line);
    return 0;
  },
};

function explainedLines({ recorded, by, policy, explanation, notes }: ExplainedRecord): readonly string[] {
  return [
    `recorded  ${recorded.effect}${recorded.rule === null ? '' : ` by ${visible(recorded.rule)}`}`,
    `policy    ${policy}${by === 'then' ? ', which decided it' : ', the one in force now'}`,
    ...explanationLines(explanation),
    ...notes.map((note) => `note      ${visible(note)}`),
  ];
}

const exportRecords: Command = {
  words: ['audit', 'export'],
  summary: 'write the whole audit with its proof, or the records that match as CSV or JSON lines; prints the path',
  options: {
    csv: { type: 'boolean', help: 'records for a spreadsheet, newest first' },
    records: { type: 'boolean', help: 'records as JSON lines, newest first' },
    ...QUERY,
    ...JSON_OPTION,
  },
  async run(call) {
    const query = queryOf(call);
    if (query === null) return 1;
    const as = call.flag('csv') ? 'csv' : call.flag('records') ? 'jsonl' : 'proof';
    if (as === 'proof' && Object.keys(query).length > 0) {
      call.terminal.say('gatehouse: A proof is the whole log. Choose records with --csv or --records.');
      return 1;
    }
    const door = await call.door();
    if (!door) return 1;
    const stop = sayProgress(call, door);
    const written = await door.ask('auditExport', { as, ...query });
    stop();
    if (!written) return 1;
    call.terminal.print(call.flag('json') ? JSON.stringify(written) : written.path);
    call.terminal.say(`${written.entries} entries.`);
    return 0;
  },
};

export const auditRecordCommands: readonly Command[] = [list, show, explain, exportRecords];
