import { parseSize, parseSpan, sizeInWords, spanInWords } from '../../shared/amounts.ts';
import type { RetentionView } from '../../shared/model.ts';
import { sayProgress } from './audit-lines.ts';
import { type Call, type Command, JSON_OPTION, type Option } from './command.ts';
import { shownTime } from './terminal.ts';

const LIMITS = {
  'older-than': { type: 'string', value: 'SPAN', help: 'what is older: 90d, 52w; at least 1d' },
  'keep-size': { type: 'string', value: 'SIZE', help: 'what is over, oldest first: 500MB, 2GB' },
} as const satisfies Record<string, Option>;

interface Limit {
  readonly olderThanMs: number | null;
  readonly keepBytes: number | null;
}

/** Null: an option is not as it must be, and that was said. */
function limitOf(call: Call): Limit | null {
  const [older, size] = [call.text('older-than'), call.text('keep-size')];
  const olderThanMs = older === null ? null : parseSpan(older);
  const keepBytes = size === null ? null : parseSize(size);
  if (older !== null && olderThanMs === null) {
    call.terminal.say('gatehouse: --older-than is a span: 90d, 52w.');
    return null;
  }
  if (size !== null && keepBytes === null) {
    call.terminal.say('gatehouse: --keep-size is a size: 500MB, 2GB.');
    return null;
  }
  return { olderThanMs, keepBytes };
}

const purge: Command = {
  words: ['audit', 'purge'],
  summary: 'remove the beginning of the audit once, with a signed note of it; you confirm it, the last day stays',
  options: { ...LIMITS, ...JSON_OPTION },
  async run(call) {
    const limit = limitOf(call);
    if (limit === null) return 1;
    if (limit.olderThanMs === null && limit.keepBytes === null) {
      call.terminal.say('gatehouse: Say what to remove, with --older-than or --keep-size.');
      return 1;
    }
    const door = await call.door();
    if (!door) return 1;
    const stop = sayProgress(call, door);
    const done = await door.ask('auditPurge', limit);
    stop();
    if (!done) return 1;
    if (call.flag('json')) call.terminal.print(JSON.stringify(done));
    else if (done.upTo === null) call.terminal.say('Nothing was removed: nothing is old enough, or over that size.');
    else
      call.terminal.print(
        `${done.entries} entries were removed, up to entry ${done.upTo}. The audit verifies from there on.`,
      );
    return 0;
  },
};

const retention: Command = {
  words: ['audit', 'retention'],
  summary: 'show how long the audit is kept, or set it; what shortens it you confirm',
  options: { ...LIMITS, 'keep-all': { type: 'boolean', help: 'remove nothing by itself' }, ...JSON_OPTION },
  async run(call) {
    const limit = limitOf(call);
    if (limit === null) return 1;
    const isSet = limit.olderThanMs !== null || limit.keepBytes !== null;
    if (isSet && call.flag('keep-all')) {
      call.terminal.say('gatehouse: --keep-all goes with no other limit.');
      return 1;
    }
    const door = await call.door();
    if (!door) return 1;
    const answer =
      isSet || call.flag('keep-all') ? await door.ask('auditRetentionSet', limit) : await door.ask('auditState', {});
    if (!answer) return 1;
    call.terminal.print(call.flag('json') ? JSON.stringify(answer.retention) : inWords(answer.retention));
    return 0;
  },
};

function inWords({ olderThanMs, keepBytes, appliedAt }: RetentionView): string {
  if (olderThanMs === null && keepBytes === null) return 'Everything is kept.';
  const limits = [
    ...(olderThanMs === null ? [] : [`what is older than ${spanInWords(olderThanMs)}`]),
    ...(keepBytes === null ? [] : [`what is over ${sizeInWords(keepBytes)}`]),
  ];
  const last = appliedAt === null ? 'not applied yet' : `last on ${shownTime(appliedAt)}`;
  return `Removed once a day: ${limits.join(', and ')} (${last}).`;
}

export const auditRetentionCommands: readonly Command[] = [purge, retention];
