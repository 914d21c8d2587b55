import { createContext, Script } from 'node:vm';

/** What is answered in the place of what took too long. */
export const TOO_LONG: unique symbol = Symbol('too long');

/**
 * Runs something for at most so many milliseconds: V8 stops a script, whatever it is doing, when its time is up. On a
 * machine so busy that this thread had not even half of that time to itself, it is run again; so it must be something
 * that can be.
 */
export function createTimeLimit(ms: number): <T>(run: () => T) => T | typeof TOO_LONG {
  const context = createContext({ run: null });
  const script = new Script('run()');

  function once<T>(run: () => T): T | typeof TOO_LONG {
    context.run = run;
    try {
      return script.runInContext(context, { timeout: ms });
    } catch (error) {
      // An error of the other context, so it is no instance of this one's Error.
      if (isTimeout(error)) return TOO_LONG;
      throw error;
    } finally {
      context.run = null;
    }
  }

  return (run) => {
    for (let round = 1; ; round += 1) {
      const before = process.threadCpuUsage();
      const ended = once(run);
      if (ended !== TOO_LONG || round === ROUNDS) return ended;
      const { user, system } = process.threadCpuUsage(before);
      if (user + system > ms * 500) return TOO_LONG;
    }
  };
}

const ROUNDS = 4;

function isTimeout(error: unknown): boolean {
  return (
    typeof error === 'object' && error !== null && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
  );
}
