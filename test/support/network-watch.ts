import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** What a program and all its children tried to reach, in a network namespace that has loopback and nothing else. */
export interface Watched {
  readonly stdout: string;
  /** Every network address that was connected to or sent to, DNS included, once each: `inet 10.0.0.1:53`. */
  readonly addresses: readonly string[];
}

/** Why it cannot be watched here; null when it can. */
export function cannotWatch(): string | null {
  if (process.platform !== 'linux') return 'network namespaces are of Linux';
  try {
    execFileSync('unshare', [...NAMESPACE, 'ip', 'link', 'set', 'lo', 'up'], { stdio: 'ignore' });
    execFileSync('strace', ['-V'], { stdio: 'ignore' });
    return null;
  } catch {
    return 'it takes unshare, ip and strace, and the right to use them';
  }
}

export async function watchNetwork(
  words: readonly string[],
  env: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<Watched> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-network-'));
  const log = join(folder, 'strace.log');
  try {
    const { stdout } = await promisify(execFile)(
      'unshare',
      [
        ...NAMESPACE,
        'sh',
        '-c',
        'ip link set lo up && exec strace -f -qq -e trace=connect,sendto,sendmsg,sendmmsg -e signal=none -o "$0" "$@"',
        log,
        ...words,
      ],
      { env: { ...env }, timeout: timeoutMs, maxBuffer: 16 * 1024 * 1024 },
    );
    return { stdout, addresses: addressesIn(readFileSync(log, 'utf8')) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Words that use the network for sure: a look at them proves that the watch sees what it should. */
export function tellTale(): readonly string[] {
  return [process.execPath, fileURLToPath(new URL('./network-tell-tale.mjs', import.meta.url))];
}

const NAMESPACE = process.getuid?.() === 0 ? ['-n', '--'] : ['-r', '-n', '--'];

function addressesIn(log: string): readonly string[] {
  const found = new Set<string>();
  for (const line of log.split('\n')) {
    const four = /sin_port=htons\((\d+)\), sin_addr=inet_addr\("([^"]+)"\)/.exec(line);
    if (four) found.add(`inet ${four[2]}:${four[1]}`);
    const six = /sin6_port=htons\((\d+)\).*?inet_pton\(AF_INET6, "([^"]+)"/.exec(line);
    if (six) found.add(`inet6 [${six[2]}]:${six[1]}`);
  }
  return [...found].toSorted();
}

/** This machine and no other. */
export function isLoopback(address: string): boolean {
  return /^inet 127\.|^inet6 \[(::1|::ffff:127\.[\d.]+)\]/.test(address);
}
