import { readdirSync, readFileSync } from 'node:fs';

/**
 * The live processes whose environment at their start held `text`. Children inherit it, so that with a value that stands
 * nowhere else every descendant is found, whatever group or session it moved to and whoever its parent is now.
 */
export function processesHolding(text: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && read(`/proc/${name}/environ`).includes(text) && !isZombie(name))
    .map(Number);
}

/** Command lines of all processes, for what must not stand in one. */
export function commandLines(): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => read(`/proc/${pid}/cmdline`))
    .filter((line) => line !== '');
}

/** The environment that a process was started with. */
export function environmentOfProcess(pid: number): Readonly<Record<string, string>> {
  return Object.fromEntries(
    read(`/proc/${pid}/environ`)
      .split('\0')
      .filter(Boolean)
      .map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
}

function isZombie(pid: string): boolean {
  return /\) Z /.test(read(`/proc/${pid}/stat`));
}

/** Processes come and go while this looks; one that is gone holds nothing. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
