import { readFileSync } from 'node:fs';

/** Processor time of a process with all its threads so far, milliseconds; null where the system does not tell (not Linux). */
export function cpuMs(pid) {
  const text = read(`/proc/${pid}/stat`);
  if (text === null) return null;
  // The name in brackets may hold anything; what follows are numbers.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}

/** Resident memory, MB; null where the system does not tell. */
export function residentMb(pid) {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`) ?? '');
  return found === null ? null : Number(found[1]) / 1024;
}

/** The process that started this one, or took it over; null where the system does not tell. */
export function parentOf(pid) {
  const found = /^PPid:\s+(\d+)$/m.exec(read(`/proc/${pid}/status`) ?? '');
  return found === null ? null : Number(found[1]);
}

/** Of `/proc`, on every Linux of today. */
const TICKS_PER_SECOND = 100;

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
