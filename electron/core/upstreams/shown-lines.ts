import { createLogLines, type LogLines } from './log-lines.ts';

/** The lines of the latest start; until it runs or writes, those of the one before, which say why there is a new one. */
export interface ShownLines {
  now(): LogLines;
  show(next: LogLines): void;
  all(isReady: boolean): readonly string[];
}

export function createShownLines(): ShownLines {
  let lines: LogLines = createLogLines([]);
  let before: LogLines = lines;
  return {
    now: () => lines,
    show(next) {
      if (lines.all().length > 0) before = lines;
      lines = next;
    },
    all(isReady) {
      const written = lines.all();
      return written.length > 0 || isReady ? written : before.all();
    },
  };
}
