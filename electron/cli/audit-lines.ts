import type { AuditRecordView } from '../../shared/model.ts';
import type { Call } from './command.ts';
import type { Door } from './door.ts';
import { shownTime } from './terminal.ts';
import { visible } from './untrusted.ts';

/** One record as one line. */
export function recordLine(record: AuditRecordView): string {
  // An event is over when it is written; only a call can still be running, and only a call has an id to ask for.
  const isCall = record.entries.some(({ phase }) => phase !== 'event');
  const words = [
    shownTime(record.at),
    record.client ?? '-',
    record.tool === null
      ? [record.kind, record.upstream].filter(Boolean).join(' ')
      : `${record.upstream ?? '?'}${record.connection === null ? '' : ` as ${record.connection}`}/${record.tool}`,
    record.effect === null ? null : `${record.effect}${record.rule === null ? '' : ` by ${record.rule}`}`,
    record.outcome ?? (isCall ? 'running' : null),
    record.errorClass,
    isCall ? record.requestId : null,
  ];
  return visible(words.filter((word) => word !== null).join('  '));
}

const SAY_EVERY_MS = 2_000;

/** Says how far long work in the audit is. Returns the end of it. */
export function sayProgress(call: Call, door: Door): () => void {
  const timer = setInterval(async () => {
    const state = await door.ask('auditState', {});
    if (!state?.work) return;
    const { what, done, of } = state.work;
    call.terminal.say(`${what}: ${done}${of === null ? '' : ` of ${of}`} …`);
  }, SAY_EVERY_MS);
  return () => clearInterval(timer);
}
