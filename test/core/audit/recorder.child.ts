/**
 * A process of its own that records: `node recorder.child.ts <folder> <keychain file> <mode>`.
 * `flood`: eight callers at full speed; says `ack <seq> <request id>` for each entry that is durable.
 * `steady`: one entry every 20 ms, and one nobody waits for; says `ok <seq>` or `refused <reason>`; ends by `end` on stdin.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { openAudit } from '../../../electron/core/audit/open.ts';
import { silentLog } from '../../../electron/core/diagnosis/log.ts';
import { type Keychain, systemClock } from '../../../electron/core/platform.ts';

const [folder = '', keychainFile = '', mode = ''] = process.argv.slice(2);

export function fileKeychain(path: string): Keychain {
  const items = (): Record<string, string> => (existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {});
  return {
    async read(item) {
      const value = items()[item];
      return value === undefined ? { kind: 'missing' } : { kind: 'found', value };
    },
    async write(item, value) {
      writeFileSync(path, JSON.stringify({ ...items(), [item]: value }));
      return { kind: 'written' };
    },
    async remove(item) {
      const { [item]: _, ...rest } = items();
      writeFileSync(path, JSON.stringify(rest));
      return { kind: 'written' };
    },
  };
}

if (folder !== '') {
  const opened = await openAudit({
    folder,
    clock: systemClock,
    keychain: fileKeychain(keychainFile),
    version: 'child',
    log: silentLog,
  });
  if (opened.kind !== 'opened') throw new Error(opened.message);
  const { audit } = opened;
  process.stdout.write(`opened ${opened.recovered} ${opened.problem ?? ''}\n`);

  if (mode === 'flood') {
    const caller = async (name: string) => {
      for (let n = 0; ; n += 1) {
        const requestId = `${process.pid}-${name}-${n}`;
        const forwarded = await audit.write({
          phase: 'forwarded',
          kind: 'tool_call',
          requestId,
          detail: { text: 'x'.repeat(200) },
        });
        if (forwarded.kind === 'written') process.stdout.write(`ack ${forwarded.seq} ${requestId}\n`);
        audit.writeSoon({ phase: 'ended', kind: 'tool_call', requestId, outcome: 'answered' });
      }
    };
    for (let n = 0; n < 8; n += 1) void caller(String(n));
  }

  if (mode === 'steady') {
    let n = 0;
    const timer = setInterval(async () => {
      n += 1;
      audit.writeSoon({ phase: 'event', kind: 'tick', detail: { n, text: 'x'.repeat(2_000) } });
      const answer = await audit.write({ phase: 'forwarded', kind: 'tool_call', requestId: `s${n}` });
      process.stdout.write(answer.kind === 'written' ? `ok ${answer.seq}\n` : `refused ${answer.reason}\n`);
    }, 20);
    process.stdin.once('data', async () => {
      clearInterval(timer);
      await audit.close();
      process.stdout.write('closed\n');
      process.exit(0);
    });
  }
}
