/** Log levels of MCP, least severe first (2025-11-25, utilities/logging). */
export const LOG_LEVELS: readonly unknown[] = [
  'debug',
  'info',
  'notice',
  'warning',
  'error',
  'critical',
  'alert',
  'emergency',
];

/** The level of one link. It only goes down: several callers may share it, and each is told what it asked for. */
export interface Levels {
  /** Asks the upstream for at least this level before a request that wants it. */
  reach(level: string | null): Promise<void>;
}

export function createLevels(set: (level: string) => Promise<unknown>): Levels {
  let current: number = LOG_LEVELS.length;
  return {
    async reach(level) {
      const wanted = LOG_LEVELS.indexOf(level);
      if (level === null || wanted < 0 || wanted >= current) return;
      current = wanted;
      await set(level);
    },
  };
}

/** Whether a message of this level goes to a caller that asked for `wanted`. */
export function isWanted(level: unknown, wanted: string | null): boolean {
  if (wanted === null) return false;
  const rank = LOG_LEVELS.indexOf(level);
  return rank < 0 || rank >= LOG_LEVELS.indexOf(wanted);
}
