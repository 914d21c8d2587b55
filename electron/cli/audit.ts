import type { AuditRecordView, VerifyReport } from '../../shared/model.ts';
import { recordLine, sayProgress } from './audit-lines.ts';
import { type Command, JSON_OPTION } from './command.ts';
import type { Terminal } from './terminal.ts';
import { visible } from './untrusted.ts';

/** The most one look at the audit gives. */
const MOST = 500;

const tail: Command = {
  words: ['audit', 'tail'],
  summary: 'show the latest records',
  options: {
    follow: { type: 'boolean', short: 'f', help: 'go on until Ctrl-C' },
    lines: { type: 'string', short: 'n', value: 'N', help: 'how many; else 20' },
    ...JSON_OPTION,
  },
  async run(call) {
    const { terminal } = call;
    const limit = Number(call.text('lines') ?? '20');
    if (!Number.isInteger(limit) || limit < 1 || limit > MOST) {
      terminal.say(`gatehouse: --lines is a number from 1 to ${MOST}.`);
      return 1;
    }
    const door = await call.door();
    if (!door) return 1;
    const print = (record: AuditRecordView) =>
      terminal.print(call.flag('json') ? JSON.stringify(record) : recordLine(record));
    const shown = new Map<string, number>();
    const look = async (most: number): Promise<boolean> => {
      const answer = await door.ask('auditList', { limit: most });
      if (!answer) return false;
      for (const record of [...answer.records].reverse()) {
        const last = Math.max(...record.entries.map((entry) => entry.seq));
        const key = record.requestId || `seq ${last}`;
        if (shown.get(key) === last) continue;
        shown.set(key, last);
        print(record);
      }
      return true;
    };
    if (!(await look(limit))) return 1;
    if (!call.flag('follow')) return 0;
    if (!door.running) {
      terminal.say('Gatehouse is not running, so nothing is added to the audit.');
      return 0;
    }
    let last: Promise<unknown> = Promise.resolve();
    door.subscribe((topic) => {
      if (topic === 'audit') last = last.then(() => look(MOST));
    });
    await door.gone;
    terminal.say('Gatehouse was closed.');
    return 0;
  },
};

const verify: Command = {
  words: ['audit', 'verify'],
  summary: 'check that no entry was changed, removed or put in; exit code 1 when one was',
  options: JSON_OPTION,
  async run(call) {
    const door = await call.door();
    if (!door) return 1;
    const stop = sayProgress(call, door);
    const report = await door.ask('auditVerify', {});
    stop();
    if (!report) return 1;
    if (call.flag('json')) call.terminal.print(JSON.stringify(report));
    else printReport(report, call.terminal);
    return report.ok ? 0 : 1;
  },
};

function printReport(report: VerifyReport, terminal: Terminal): void {
  if (report.ok) {
    const range = report.entries === 0 ? '' : `, ${report.firstSeq} to ${report.lastSeq}`;
    terminal.print(`The audit verifies: ${report.entries} entries${range}.`);
  } else {
    const where = report.badSeq === null ? '' : ` at entry ${report.badSeq}`;
    terminal.print(`The audit does NOT verify${where}: ${visible(report.problem ?? 'no reason was given')}`);
  }
  if (report.head !== null) terminal.print(`head         ${report.head}`);
  if (report.publicKey !== null) terminal.print(`public key   ${visible(report.publicKey)}`);
  terminal.print(`signing key  ${report.signingKey}`);
  for (const note of report.notes) terminal.print(`note         ${visible(note)}`);
}

export const auditCommands: readonly Command[] = [tail, verify];
