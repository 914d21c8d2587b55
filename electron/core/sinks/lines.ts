import type { CommitRow, EntryRow } from '../audit/entry.ts';
import type { Batch, Sender } from './destination.ts';

/** An entry as the export writes it, with the log and the machine it is from (`docs/audit-sinks.md`). */
export function entryLine(entry: EntryRow, chain: string, { machine }: Sender): string {
  return JSON.stringify({ type: 'entry', machine, chain, ...entry });
}

/** The signed head of a group of entries, after its last entry. */
export function commitLine(commit: CommitRow, chain: string, { machine }: Sender): string {
  return JSON.stringify({ type: 'commit', machine, chain, ...commit });
}

/** Everything of a batch in the order of the log: a signed head stands behind the entry that it signs. */
export function linesOf(batch: Batch, sender: Sender): readonly string[] {
  const signed = new Map(batch.commits.map((commit) => [commit.seq, commit]));
  return batch.entries.flatMap((entry) => {
    const commit = signed.get(entry.seq);
    const line = entryLine(entry, batch.chain, sender);
    return commit === undefined ? [line] : [line, commitLine(commit, batch.chain, sender)];
  });
}
