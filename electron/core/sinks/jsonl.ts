import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { SinkTarget } from '../../../shared/model.ts';
import { codeOf } from '../store/files.ts';
import type { Delivered, Destination, Sender } from './destination.ts';
import { linesOf } from './lines.ts';

type JsonlTarget = Extract<SinkTarget, { kind: 'jsonl' }>;

/** What every line of ours begins with; nothing else in a file is ever written behind. */
const OURS = /^\{"type":"(entry|commit)","machine":/;
/** How far from the end the last line is looked for. An entry is shorter than this. */
const TAIL_BYTES = 4 * 1024 ** 2;

/**
 * Lines in a file that only its owner can read, synced before they count as delivered. A file that is full becomes
 * `<path>.1`, the one before it `<path>.2`, and so on. Half a line, left by a kill in the middle of it, is taken away.
 */
export function createJsonlDestination(target: JsonlTarget, sender: Sender): Destination {
  let file: { readonly handle: FileHandle; bytes: number } | null = null;

  async function opened(): Promise<{ readonly handle: FileHandle; bytes: number }> {
    if (file !== null && (await isStillThere(file.handle))) return file;
    await close();
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_APPEND | (constants.O_NOFOLLOW ?? 0);
    const handle = await open(target.path, flags, 0o600);
    try {
      const { size } = await handle.stat();
      const bytes = size === 0 ? 0 : await wholeLines(handle, size);
      if (bytes < size) await handle.truncate(bytes);
      await syncFolder();
      file = { handle, bytes };
      return file;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Somebody else's rotation may have moved the file away. */
  async function isStillThere(handle: FileHandle): Promise<boolean> {
    const [ours, there] = await Promise.all([handle.stat(), stat(target.path).catch(() => null)]);
    return there !== null && there.ino === ours.ino && there.dev === ours.dev;
  }

  /** The bytes up to the end of the last whole line. @throws NotOurs when that line is not one of ours. */
  async function wholeLines(handle: FileHandle, size: number): Promise<number> {
    const length = Math.min(size, TAIL_BYTES);
    const from = size - length;
    const { buffer } = await handle.read(Buffer.alloc(length), 0, length, from);
    const end = buffer.lastIndexOf(0x0a);
    const start = end <= 0 ? 0 : buffer.lastIndexOf(0x0a, end - 1) + 1;
    const last = buffer.toString('utf8', start, end === -1 ? length : end);
    if (!OURS.test(last)) throw new NotOurs();
    return from + end + 1;
  }

  async function rotate(): Promise<void> {
    await close();
    const name = (n: number) => (n === 0 ? target.path : `${target.path}.${n}`);
    await rm(name(target.keep), { force: true });
    for (let n = target.keep - 1; n >= 0; n -= 1) {
      await rename(name(n), name(n + 1)).catch((error: unknown) => {
        if (codeOf(error) !== 'ENOENT') throw error;
      });
    }
    await syncFolder();
  }

  /** A new name in a folder is durable only when the folder is. Windows cannot open one and needs no such thing. */
  async function syncFolder(): Promise<void> {
    if (process.platform === 'win32') return;
    const folder = await open(dirname(target.path), constants.O_RDONLY);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  async function close(): Promise<void> {
    const closing = file;
    file = null;
    await closing?.handle.close();
  }

  return {
    async deliver(batch): Promise<Delivered> {
      try {
        const text = Buffer.from(`${linesOf(batch, sender).join('\n')}\n`);
        let to = await opened();
        if (to.bytes > 0 && to.bytes + text.length > target.maxBytes) {
          await rotate();
          to = await opened();
        }
        await to.handle.appendFile(text);
        await to.handle.sync();
        to.bytes += text.length;
        return { kind: 'delivered' };
      } catch (error) {
        // What of it reached the file is not known; opening it again takes half a line away.
        await close().catch(() => {});
        return { kind: 'failed', reason: reasonOf(error, target.path) };
      }
    },
    async check() {
      try {
        const { bytes } = await opened();
        return { kind: 'reached', message: `${target.path} can be written; it holds ${bytes} bytes.` };
      } catch (error) {
        return { kind: 'failed', reason: reasonOf(error, target.path) };
      }
    },
    close,
  };
}

class NotOurs extends Error {}

function reasonOf(error: unknown, path: string): string {
  if (error instanceof NotOurs)
    return `${path} already holds something that is no audit of Gatehouse. Nothing was written to it; choose another path.`;
  switch (codeOf(error)) {
    case 'ENOENT':
      return `The folder of ${path} does not exist. Make it, or choose another path.`;
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return `${path} cannot be written (${codeOf(error)}). Make it writable for your user, or choose another path.`;
    case 'ENOSPC':
    case 'EDQUOT':
      return `The disk that holds ${path} is full. Free some space on it.`;
    case 'EISDIR':
      return `${path} is a folder. Give the path of a file.`;
    case 'ELOOP':
      return `${path} is a link. Give the path of the file itself.`;
    case '':
      throw error;
    default:
      return `${path} cannot be written (${codeOf(error)}).`;
  }
}
