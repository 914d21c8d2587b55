import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * Where the running app of a data folder listens for the command line: `control.sock` in the folder itself. Where that
 * cannot be (Windows has named pipes, and a unix socket path holds about 107 bytes), the address is recorded in the
 * 0600 file `control.address` beside it, so that only who may read the data folder can find or guess it.
 */
export interface ControlAddress {
  readonly path: string;
  /** Removes what was made for it. */
  forget(): void;
}

/** `sun_path` is 108 bytes on Linux and 104 on macOS, with a terminating zero. */
const LONGEST_SOCKET_PATH = 100;

export function makeControlAddress(folder: string, platform: NodeJS.Platform = process.platform): ControlAddress {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const record = join(folder, 'control.address');
  if (platform === 'win32') {
    const path = `\\\\.\\pipe\\gatehouse-${randomBytes(16).toString('hex')}`;
    return recorded(record, path, () => {});
  }
  const direct = join(folder, 'control.sock');
  if (Buffer.byteLength(direct) <= LONGEST_SOCKET_PATH) {
    rmSync(record, { force: true });
    return { path: direct, forget: () => rmSync(direct, { force: true }) };
  }
  const apart = mkdtempSync(join(shortTemporaryFolder(), 'gatehouse-'));
  chmodSync(apart, 0o700);
  const path = join(apart, 'control.sock');
  return recorded(record, path, () => rmSync(dirname(path), { recursive: true, force: true }));
}

/** Where a running app of this data folder would be listening, if one is. */
export function findControlAddress(folder: string): string {
  try {
    return readFileSync(join(folder, 'control.address'), 'utf8').trim();
  } catch {
    return join(folder, 'control.sock');
  }
}

function recorded(record: string, path: string, forget: () => void): ControlAddress {
  // The old record may be a link laid by somebody: replaced, never followed.
  rmSync(record, { force: true });
  writeFileSync(record, `${path}\n`, { mode: 0o600, flag: 'wx' });
  return {
    path,
    forget() {
      rmSync(record, { force: true });
      forget();
    },
  };
}

function shortTemporaryFolder(): string {
  const runtime = process.env.XDG_RUNTIME_DIR;
  const candidates = [runtime, tmpdir(), '/tmp'].filter((folder): folder is string => !!folder);
  return candidates.find((folder) => Buffer.byteLength(folder) <= 60) ?? '/tmp';
}
