import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Mended } from './seals.ts';

/**
 * Keeps what was found in the settings and taken back, for whoever wants to know what was done or wants it after all.
 * Gives the path of the file, which only its owner can read.
 */
export function keepFound(folder: string, at: number, mended: readonly Mended[]): string {
  const path = join(folder, `changed-on-disk-${new Date(at).toISOString().replace(/[:.]/g, '-')}.json`);
  const found = mended.map(({ difference: { table, id, confirmed, now }, how }) => ({
    table,
    id,
    how,
    confirmed,
    now,
  }));
  writeFileSync(path, `${JSON.stringify(found, null, 2)}\n`, { mode: 0o600 });
  return path;
}

/** What a person is told of it. */
export function foundNote(path: string, mended: readonly Mended[]): string {
  const counts = new Map<string, number>();
  for (const { difference, how } of mended) {
    const what = `${WORDS[difference.table]?.[how] ?? difference.table}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  const list = [...counts].map(([what, count]) => `${count} × ${what}`).join(', ');
  return `Another program changed what Gatehouse had stored. That has no effect: ${list}. What was found is kept in ${path}.`;
}

const WORDS: Readonly<Record<string, Readonly<Record<Mended['how'], string>>>> = {
  clients: { set_back: 'client set back', withdrawn: 'unknown client that now sees nothing' },
  keys: { set_back: 'key set back', withdrawn: 'unknown key revoked' },
  tools: { set_back: 'review set back', withdrawn: 'unknown review to be made again' },
  policies: { set_back: 'policy set back', withdrawn: 'unknown policy removed, so that everything is denied' },
  connections: { set_back: 'account set back', withdrawn: 'unknown account signed out' },
  connection_choices: { set_back: 'choice of an account set back', withdrawn: 'unknown choice of an account removed' },
  standing_approvals: { set_back: 'standing approval ended', withdrawn: 'unknown standing approval ended' },
};
