import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';

/**
 * Which process listens on a port of 127.0.0.1: its name and pid, where the system tells (Linux, and only processes of
 * this user). Null when it cannot be told.
 */
export function portOwner(port: number): { readonly pid: number; readonly name: string } | null {
  if (process.platform !== 'linux') return null;
  const inodes = listeningInodes(port);
  if (inodes.size === 0) return null;
  for (const pid of entries('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const descriptor of entries(`/proc/${pid}/fd`)) {
      const target = link(`/proc/${pid}/fd/${descriptor}`);
      const inode = target?.match(/^socket:\[(\d+)\]$/)?.[1];
      if (inode !== undefined && inodes.has(inode)) return { pid: Number(pid), name: nameOf(pid) };
    }
  }
  return null;
}

/** The next port above `port` that nobody listens on. */
export async function nextFreePort(port: number): Promise<number> {
  for (let next = port + 1; next < Math.min(port + 50, 65_536); next += 1) if (await isFree(next)) return next;
  return 0;
}

function listeningInodes(port: number): Set<string> {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  const inodes = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of text(table).split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      const [, local, , state] = fields;
      if (local?.endsWith(`:${wanted}`) && state === '0A' && fields[9] !== undefined) inodes.add(fields[9]);
    }
  }
  return inodes;
}

function nameOf(pid: string): string {
  const words = text(`/proc/${pid}/cmdline`).split('\0').filter(Boolean);
  // The program and what it runs; options between them tell a person nothing.
  const [program = '', what = ''] = words.filter((word, index) => index === 0 || !word.startsWith('-'));
  const shown = [program, what].filter(Boolean).map((word) => word.split('/').at(-1) ?? word);
  return shown.join(' ') || text(`/proc/${pid}/comm`).trim() || 'a process';
}

// Processes come and go and others' are closed to us while this looks: what cannot be read is not the one we can name.
function entries(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function link(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

/** Why the listener did not open, and what to do, in a sentence. `reason`: of the system; null: the port is taken. */
export async function whyNotListening(port: number, reason: string | null): Promise<string> {
  if (reason !== null) return `Port ${port} cannot be used: ${reason}. Start with --port and another number.`;
  const owner = portOwner(port);
  const by = owner === null ? 'another program' : `${owner.name} (process ${owner.pid})`;
  return `Port ${port} is taken by ${by}. End it, or start with --port ${await nextFreePort(port)}.`;
}
