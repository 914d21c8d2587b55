import { readdirSync, readFileSync } from 'node:fs';
import type BetterSqlite3 from 'better-sqlite3';
import type { Log } from '../diagnosis/log.ts';

/**
 * The process groups we started. Each is written down, so that a start after a crash ends what was left behind, and only
 * that: a process is ours when boot, process id and start time all agree.
 */
export interface Processes {
  /** Call once the child runs; `pid` leads its own group. */
  started(upstreamId: string, pid: number): Group;
  /** Ends groups an earlier run of Gatehouse left behind and says how many. */
  cleanUp(): number;
}

export interface Group {
  readonly pid: number;
  /** To every process of the group, and to descendants that left it. */
  signal(name: 'SIGTERM' | 'SIGKILL'): void;
  isAlive(): boolean;
  /** Nothing of it runs any more. */
  forget(): void;
}

export const processesSchema = `
CREATE TABLE upstream_processes (
  pid INTEGER NOT NULL,
  upstream_id TEXT NOT NULL,
  boot TEXT NOT NULL,
  started TEXT NOT NULL,
  PRIMARY KEY (pid, boot)
) STRICT;
`;

export function createProcesses({ db, log }: { db: BetterSqlite3.Database; log: Log }): Processes {
  const groups = new Set<Group>();
  const boot = bootId();
  const insert = db.prepare(
    'INSERT OR REPLACE INTO upstream_processes (pid, upstream_id, boot, started) VALUES (?, ?, ?, ?)',
  );
  const remove = db.prepare('DELETE FROM upstream_processes WHERE pid = ? AND boot = ?');
  const lastResort = () => {
    for (const group of groups) group.signal('SIGKILL');
  };
  return {
    started(upstreamId, pid) {
      insert.run(pid, upstreamId, boot, processStat(pid)?.started ?? '');
      let strays: readonly Stray[] = [];
      const group: Group = {
        pid,
        signal(name) {
          // A descendant can move to a group of its own; while its parents live it is found by them.
          strays = [...strays, ...descendants(pid)];
          send(-pid, name);
          for (const stray of strays) {
            if (processStat(stray.pid)?.started === stray.started) send(stray.pid, name);
          }
        },
        isAlive: () => groupHasMembers(pid) || strays.some((stray) => isRunning(stray)),
        forget() {
          groups.delete(group);
          if (groups.size === 0) process.off('exit', lastResort);
          if (db.open) remove.run(pid, boot);
        },
      };
      if (groups.size === 0) process.on('exit', lastResort);
      groups.add(group);
      return group;
    },

    cleanUp() {
      const rows = db.prepare('SELECT pid, upstream_id, boot, started FROM upstream_processes').all() as Recorded[];
      const left = rows.filter((row) => row.boot === boot && row.started !== '' && isRunning(row));
      for (const row of left) {
        for (const stray of descendants(row.pid)) send(stray.pid, 'SIGKILL');
        send(-row.pid, 'SIGKILL');
        log.warn('upstream_process_left_behind', { upstream: row.upstream_id, pid: row.pid });
      }
      db.prepare('DELETE FROM upstream_processes').run();
      return left.length;
    },
  };
}

interface Stray {
  readonly pid: number;
  readonly started: string;
}

interface Recorded extends Stray {
  readonly upstream_id: string;
  readonly boot: string;
}

interface ProcessStat {
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  /** Clock ticks since boot. */
  readonly started: string;
}

/** proc(5): the second field is the name in parentheses and may itself hold anything. */
function processStat(pid: number): ProcessStat | null {
  const text = readOrNull(`/proc/${pid}/stat`);
  if (text === null) return null;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', parent: Number(fields[1]), group: Number(fields[2]), started: fields[19] ?? '' };
}

function isRunning(process: Stray): boolean {
  const stat = processStat(process.pid);
  return stat !== null && stat.started === process.started && stat.state !== 'Z';
}

/** A zombie that nobody has reaped yet keeps its group's number but runs nothing. */
function groupHasMembers(pid: number): boolean {
  if (!send(-pid, 0)) return false;
  const all = processIds();
  return (
    all.length === 0 ||
    all.some((id) => {
      const stat = processStat(id);
      return stat !== null && stat.group === pid && stat.state !== 'Z';
    })
  );
}

function descendants(pid: number): readonly Stray[] {
  const children = new Map<number, Stray[]>();
  for (const id of processIds()) {
    const stat = processStat(id);
    if (stat) children.set(stat.parent, [...(children.get(stat.parent) ?? []), { pid: id, started: stat.started }]);
  }
  const found: Stray[] = [];
  const visit = (parent: number) => {
    for (const child of children.get(parent) ?? []) {
      found.push(child);
      visit(child.pid);
    }
  };
  visit(pid);
  return found;
}

/** Empty where there is no /proc: then only the group is known. */
function processIds(): readonly number[] {
  try {
    return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
  } catch {
    return [];
  }
}

function bootId(): string {
  return readOrNull('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Gone, or no /proc on this system.
    return null;
  }
}

/** False when there was nobody to send to. */
function send(target: number, signal: 'SIGTERM' | 'SIGKILL' | 0): boolean {
  try {
    return process.kill(process.platform === 'win32' ? Math.abs(target) : target, signal);
  } catch {
    return false;
  }
}
