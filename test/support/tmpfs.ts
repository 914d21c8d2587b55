import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmdirSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Whether this user may mount a file system: root may, where it is not fenced in. */
export const CAN_MOUNT = canMount();

/** `options` such as `ro` or `size=2m`. */
export function mountTmpfs(folder: string, options: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]);
}

export function unmount(folder: string): void {
  execFileSync('umount', ['--lazy', folder]);
}

function canMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-mount-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', folder]).status === 0;
  if (mounted) unmount(folder);
  rmdirSync(folder);
  return mounted;
}

/** Writes to the file until its disk has no byte left. */
export function fill(path: string): void {
  const file = openSync(path, 'a');
  try {
    for (let block = Buffer.alloc(64 * 1024); block.length >= 1; block = block.subarray(0, block.length >> 1)) {
      try {
        for (;;) writeSync(file, block);
      } catch {
        // Full for a block of this size; a smaller one may still fit.
      }
    }
  } finally {
    closeSync(file);
  }
}
