import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type BetterSqlite3 from 'better-sqlite3';
import type { Log } from '../diagnosis/log.ts';
import { systemClock } from '../platform.ts';
import { codeOf } from '../store/files.ts';

/**
 * The processes we started, each in a group of its own. They are written down, so that a start after a crash ends what was
 * left behind, and only that: a process is ours when boot, process id and start time all agree, or when it holds the
 * pipes that we gave to one of ours. The pipes find who has left group and session and whose parent is gone. Who let go
 * of the pipes too is found because descendants are written down as well, every two seconds.
 */
export interface Processes {
  /** Call once the child runs; `pid` leads its own group. */
  started(upstreamId: string, pid: number): Group;
  /** Ends groups an earlier run of Gatehouse left behind and says how many. */
  cleanUp(): number;
}

export interface Group {
  readonly pid: number;
  /** Why it could not be written down, so that a start after a crash would not know of it; null when it was. */
  readonly fault: Error | null;
  /** Remembers who descends from it now: once a parent is gone, nobody can tell any more. */
  remember(): void;
  /** To every process of the group, to descendants that left it, and to whoever holds its pipes. */
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
  pipes TEXT NOT NULL,
  PRIMARY KEY (pid, boot)
) STRICT;
`;

export function createProcesses({ db, log }: { db: BetterSqlite3.Database; log: Log }): Processes {
  const groups = new Set<Looked>();
  const boot = bootId();
  const insert = db.prepare(
    'INSERT OR REPLACE INTO upstream_processes (pid, upstream_id, boot, started, pipes) VALUES (?, ?, ?, ?, ?)',
  );
  const remove = db.prepare('DELETE FROM upstream_processes WHERE pid = ? AND boot = ?');
  /** The error of a database that cannot be written now; null when it was. */
  function faultIn(write: () => unknown): Error | null {
    try {
      write();
      return null;
    } catch (error) {
      if (!(error instanceof Error) || !codeOf(error).startsWith('SQLITE_')) throw error;
      log.warn('upstream_process_not_written', { code: codeOf(error) });
      return error;
    }
  }
  let stopLooking = () => {};
  /** Processes live in real time, whatever the time of a test is. */
  function lookSoon(): void {
    stopLooking = systemClock.after(LOOK_MS, () => {
      for (const group of groups) group.look();
      lookSoon();
    });
  }
  const lastResort = () => {
    for (const group of groups) group.signal('SIGKILL');
  };
  return {
    started(upstreamId, pid) {
      const pipes = pipesOf(pid);
      const fault = faultIn(() => insert.run(pid, upstreamId, boot, processStat(pid)?.started ?? '', pipes.join(' ')));
      const strays = new Map<string, Stray>();
      /** Nothing is written between a look and a signal: who is looked at would have started others by then. */
      const add = (found: readonly Stray[]) => {
        for (const stray of found) strays.set(`${stray.pid} ${stray.started}`, stray);
      };
      const written = new Set<string>();
      const remember = () => add([...descendants(pid), ...holders(pipes)]);
      const drop = (stray: Stray) => {
        if (db.open) faultIn(() => remove.run(stray.pid, boot));
      };
      const group: Looked = {
        pid,
        look() {
          for (const [key, stray] of strays) {
            if (isRunning(stray)) continue;
            strays.delete(key);
            if (written.delete(key)) drop(stray);
          }
          add(offspring([pid, ...[...strays.values()].map((stray) => stray.pid)]));
          for (const [key, stray] of strays) {
            if (written.has(key) || !db.open) continue;
            if (faultIn(() => insert.run(stray.pid, upstreamId, boot, stray.started, '')) === null) written.add(key);
          }
        },
        fault,
        remember,
        signal(name) {
          remember();
          send(-pid, name);
          for (const stray of strays.values()) if (isRunning(stray)) send(stray.pid, name);
        },
        isAlive() {
          remember();
          return groupHasMembers(pid) || [...strays.values()].some((stray) => isRunning(stray));
        },
        forget() {
          groups.delete(group);
          if (groups.size === 0) {
            process.off('exit', lastResort);
            stopLooking();
          }
          for (const [key, stray] of strays) if (written.has(key)) drop(stray);
          // A row that stays does no harm: the next start looks whether it is still that process.
          if (db.open) faultIn(() => remove.run(pid, boot));
        },
      };
      if (groups.size === 0) {
        process.on('exit', lastResort);
        lookSoon();
      }
      groups.add(group);
      return group;
    },

    cleanUp() {
      const rows = db
        .prepare('SELECT pid, upstream_id, boot, started, pipes FROM upstream_processes')
        .all() as Recorded[];
      let ended = 0;
      for (const row of rows) {
        if (row.boot !== boot || row.started === '') continue;
        const leads = isRunning(row);
        const left = [...(leads ? descendants(row.pid) : []), ...holders(row.pipes.split(' ').filter(Boolean))];
        if (!leads && left.length === 0) continue;
        if (leads) send(-row.pid, 'SIGKILL');
        // A descendant that was written down leads no group where it stayed in that of another.
        if (leads) send(row.pid, 'SIGKILL');
        for (const stray of left) send(stray.pid, 'SIGKILL');
        log.warn('upstream_process_left_behind', { upstream: row.upstream_id, pid: row.pid });
        ended += 1;
      }
      db.prepare('DELETE FROM upstream_processes').run();
      return ended;
    },
  };
}

interface Looked extends Group {
  /** Writes down who descends from it now, and forgets who has ended. */
  look(): void;
}

interface Stray {
  readonly pid: number;
  readonly started: string;
}

interface Recorded extends Stray {
  readonly upstream_id: string;
  readonly boot: string;
  /** As `pipesOf` gives them, with spaces between. */
  readonly pipes: string;
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

/** As `descendants`, read from the kernel's lists of children (proc_pid_task(5)); nobody where it was built without. */
function offspring(parents: readonly number[]): readonly Stray[] {
  const found: Stray[] = [];
  const seen = new Set(parents);
  const left = [...parents];
  for (let parent = left.pop(); parent !== undefined; parent = left.pop()) {
    for (const child of childrenOf(parent)) {
      if (seen.has(child)) continue;
      seen.add(child);
      const stat = processStat(child);
      if (stat === null || stat.state === 'Z') continue;
      found.push({ pid: child, started: stat.started });
      left.push(child);
    }
  }
  return found;
}

/** Each thread has those that it started. */
function childrenOf(pid: number): readonly number[] {
  const lists = entriesOf(`/proc/${pid}/task`).map((thread) => readOrNull(`/proc/${pid}/task/${thread}/children`));
  return lists.flatMap((list) => (list ?? '').split(' ').filter(Boolean).map(Number));
}

function entriesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Gone, or no /proc on this system.
    return [];
  }
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

/** What a process has as standard input, output and error, such as `socket:[4711]`: unique until the next boot. */
function pipesOf(pid: number): readonly string[] {
  return STANDARD.map((descriptor) => linkOrEmpty(`/proc/${pid}/fd/${descriptor}`)).filter((target) =>
    PIPE.test(target),
  );
}

/** Whoever has one of these pipes as a standard stream: only descendants of the one they were made for can. */
function holders(pipes: readonly string[]): readonly Stray[] {
  if (pipes.length === 0) return [];
  const wanted = new Set(pipes);
  return processIds().flatMap((id) => {
    if (id === process.pid || !pipesOf(id).some((pipe) => wanted.has(pipe))) return [];
    const stat = processStat(id);
    return stat ? [{ pid: id, started: stat.started }] : [];
  });
}

/** What loses its parent within this time after its start, with its session and its pipes, nobody finds after a kill. */
const LOOK_MS = 2_000;
const STANDARD = [0, 1, 2];
const PIPE = /^(socket|pipe):\[\d+\]$/;

/** Empty where there is no /proc: then only the group is known. */
function processIds(): readonly number[] {
  return entriesOf('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
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

function linkOrEmpty(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    // Gone, closed, somebody else's, or no /proc on this system.
    return '';
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
