import { join } from 'node:path';
import type { VerifyReport } from '../../shared/model.ts';
import type { Audit } from './audit/audit.ts';
import type { Clock } from './platform.ts';
import { foundNote, keepFound } from './seals/found.ts';
import type { Mended } from './seals/seals.ts';
import { setAsideEarlier } from './store/files.ts';

/** What the start and the checks of this run found in the data folder: shown as banners until it is mended. */
export interface Notes {
  all(): readonly string[];
  /** What another program changed was set back: said, kept in a file, recorded. */
  found(mended: readonly Mended[]): void;
  /** The whole log was checked, which says it better than the look at its end; null: it could not be. */
  verified(report: VerifyReport | null): void;
}

export function createNotes(parts: {
  readonly dataFolder: string;
  readonly clock: Clock;
  readonly audit: Pick<Audit, 'writeSoon'>;
  /** What the look at the end of the log found at the start; null: nothing. */
  readonly problem: string | null;
  changed(): void;
}): Notes {
  const { dataFolder, clock, audit, problem } = parts;
  let report: VerifyReport | null = null;
  const notes = [
    ...brokenNote(
      'The settings database',
      join(dataFolder, 'state.db'),
      'Gatehouse started with empty settings; restore your copy or set it up again.',
    ),
    ...brokenNote('The audit log', join(dataFolder, 'audit.db'), 'A new log was started and names the old one.'),
  ];
  return {
    all: () => [...notes, ...doubts(problem, report)],
    found(mended) {
      if (mended.length === 0) return;
      notes.push(foundNote(keepFound(dataFolder, clock.now(), mended), mended));
      for (const { difference, how } of mended) {
        const { table, id } = difference;
        audit.writeSoon({ phase: 'event', kind: 'changed_on_disk', outcome: how, detail: { table, id } });
      }
      parts.changed();
    },
    verified(now) {
      report = now;
      parts.changed();
    },
  };
}

/** What the start found at the end of the log, until the whole of it is verified and says it better. */
function doubts(atStart: string | null, report: VerifyReport | null): readonly string[] {
  const problem = report === null || report.ok ? atStart : (report.problem ?? 'Something in it was changed.');
  if (problem === null) return [];
  return [`The audit log is not as Gatehouse left it. ${problem} "gatehouse audit verify" says more.`];
}

/** Said for as long as the file is there: the start that set it aside may have been a command nobody looked at. */
function brokenNote(what: string, path: string, then: string): readonly string[] {
  const kept = setAsideEarlier(path);
  if (kept.length === 0) return [];
  const it = kept.length === 1 ? 'that file' : 'those files';
  return [`${what} was broken and is kept as ${kept.join(', ')}. ${then} This note stays until you move ${it} away.`];
}
