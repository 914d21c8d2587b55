import { closeSync, fchmodSync, fstatSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../platform.ts';

/**
 * Diagnostics: structured, rotating, with a request id in every line about a request. Never arguments, never secrets,
 * never text of a server or a client beyond a name. The audit is another thing: this may be deleted.
 */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

/** For tests and for parts started without a log file. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

export interface LogFile extends Log {
  readonly path: string;
  close(): void;
}

const MAX_BYTES = 5 * 1024 * 1024;
const KEEP = 4;

/** JSON lines in `<folder>/logs/gatehouse.log`; at 5 MB it becomes `gatehouse.1.log`, and four old ones are kept. */
export function openLog(parts: {
  readonly folder: string;
  readonly clock: Clock;
  readonly debug?: boolean;
  readonly maxBytes?: number;
}): LogFile {
  const { clock, maxBytes = MAX_BYTES } = parts;
  const folder = join(parts.folder, 'logs');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, 'gatehouse.log');
  let file = openPrivate(path);
  let size = fstatSync(file).size;
  let closed = false;

  function rotate(): void {
    closeSync(file);
    rmSync(join(folder, `gatehouse.${KEEP}.log`), { force: true });
    for (let age = KEEP - 1; age >= 1; age -= 1)
      renameIfThere(join(folder, `gatehouse.${age}.log`), join(folder, `gatehouse.${age + 1}.log`));
    renameSync(path, join(folder, 'gatehouse.1.log'));
    file = openPrivate(path);
    size = 0;
  }

  function write(level: string, event: string, fields: LogFields | undefined): void {
    if (closed) return;
    const line = `${JSON.stringify({ at: new Date(clock.now()).toISOString(), level, event, ...fields })}\n`;
    try {
      if (size + line.length > maxBytes) rotate();
      size += writeSync(file, line);
    } catch {
      // A full disk must not stop a call for the sake of diagnostics; that it is full shows in /health by the audit.
    }
  }

  return {
    path,
    debug: (event, fields) => {
      if (parts.debug === true) write('debug', event, fields);
    },
    info: (event, fields) => write('info', event, fields),
    warn: (event, fields) => write('warn', event, fields),
    error: (event, fields) => write('error', event, fields),
    close() {
      if (closed) return;
      closed = true;
      closeSync(file);
    },
  };
}

/** 0600 whatever the umask says, also for a file that was there. */
function openPrivate(path: string): number {
  const file = openSync(path, 'a', 0o600);
  fchmodSync(file, 0o600);
  return file;
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
