/** Work that is asked for again and again, in bursts. */
export interface OneAtATime {
  /** Runs the work, never twice at once; asked in the meantime, it runs once more afterwards. */
  ask(): void;
  /** Resolves when nothing runs any more; later asks do nothing. */
  end(): Promise<void>;
}

export function oneAtATime(work: () => Promise<void>, failed: (error: unknown) => void): OneAtATime {
  let running: Promise<void> | null = null;
  let again = false;
  let ended = false;

  const run = async (): Promise<void> => {
    do {
      again = false;
      await work();
    } while (again && !ended);
  };

  return {
    ask() {
      if (ended) return;
      again = true;
      running ??= run()
        .catch(failed)
        .finally(() => {
          running = null;
        });
    },
    async end() {
      ended = true;
      await running;
    },
  };
}
