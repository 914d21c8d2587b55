import type { Clock } from '../platform.ts';

/**
 * Lets requests start in turn, one per key and turn of the event loop, so that a key with a thousand waiting requests
 * delays another key's request by one of its own and not by all. Bounds are per key on requests in flight and queued,
 * not on calls per second (design section 9, D9); yet while other keys are at work, a key with a backlog starts its
 * requests at a pace that leaves them most of this process's time.
 */
export interface Admission {
  /** Resolves when the request may start; call the returned function once it has ended. `full`: answer 429. */
  enter(keyId: string): Promise<() => void> | 'full';
  inFlight(): number;
  queued(): number;
}

export interface AdmissionLimits {
  readonly inFlight: number;
  readonly queued: number;
}

export const ADMISSION_LIMITS: AdmissionLimits = { inFlight: 64, queued: 256 };

/** A key with more than so many requests at once has a backlog. */
const BACKLOG = 8;
/** Another key counts as at work for so long after its last request. */
const AT_WORK_MS = 1000;
/** Between two starts of a key with a backlog, while others are at work; a late turn makes up for so many. */
const PAUSE_MS = 4;
const MADE_UP = 4;

interface Lane {
  inFlight: number;
  readonly waiting: ((leave: () => void) => void)[];
}

export function createAdmission(clock: Clock, limits: AdmissionLimits = ADMISSION_LIMITS): Admission {
  const lanes = new Map<string, Lane>();
  /** When each key last sent something. */
  const seen = new Map<string, number>();
  let turn: NodeJS.Immediate | null = null;
  let isPausing = false;
  let pausedAt = 0;
  /** Starts that each key with a backlog may make in this turn. */
  let paced = 1;

  function schedule(): void {
    if (turn === null) turn = setImmediate(startOnePerKey);
  }

  function startOnePerKey(): void {
    turn = null;
    const isShared = othersAtWork();
    const allowed = isPausing ? 0 : paced;
    let next: 'none' | 'turn' | 'pause' = 'none';
    for (const [keyId, lane] of lanes) {
      const isPaced = isShared && lane.inFlight + lane.waiting.length > BACKLOG;
      for (let starts = isPaced ? allowed : 1; starts > 0 && canStart(lane); starts -= 1) {
        lane.inFlight += 1;
        lane.waiting.shift()?.(leaveOnce(keyId, lane));
      }
      if (!canStart(lane)) continue;
      if (!isPaced) next = 'turn';
      else if (next === 'none') next = 'pause';
    }
    if (next === 'turn') schedule();
    if (next !== 'none' && isShared) pace();
  }

  function canStart(lane: Lane): boolean {
    return lane.waiting.length > 0 && lane.inFlight < limits.inFlight;
  }

  function pace(): void {
    if (isPausing) return;
    isPausing = true;
    pausedAt = clock.monotonic();
    clock.after(PAUSE_MS, () => {
      isPausing = false;
      paced = Math.min(MADE_UP, Math.max(1, Math.floor((clock.monotonic() - pausedAt) / PAUSE_MS)));
      schedule();
    });
  }

  /** More than one key has sent something of late. */
  function othersAtWork(): boolean {
    const now = clock.monotonic();
    for (const [keyId, at] of seen) if (now - at > AT_WORK_MS) seen.delete(keyId);
    return seen.size > 1;
  }

  function leaveOnce(keyId: string, lane: Lane): () => void {
    let left = false;
    return () => {
      if (left) return;
      left = true;
      lane.inFlight -= 1;
      if (lane.waiting.length > 0) schedule();
      else if (lane.inFlight === 0) lanes.delete(keyId);
    };
  }

  return {
    enter(keyId) {
      seen.set(keyId, clock.monotonic());
      let lane = lanes.get(keyId);
      if (lane === undefined) {
        lane = { inFlight: 0, waiting: [] };
        lanes.set(keyId, lane);
      }
      if (lane.waiting.length >= limits.queued) return 'full';
      // An idle gateway starts at once; only a key that already has work waits for its turn.
      if (lane.inFlight === 0 && lane.waiting.length === 0) {
        lane.inFlight = 1;
        return Promise.resolve(leaveOnce(keyId, lane));
      }
      const { waiting } = lane;
      return new Promise((start) => {
        waiting.push(start);
        schedule();
      });
    },
    inFlight: () => [...lanes.values()].reduce((sum, lane) => sum + lane.inFlight, 0),
    queued: () => [...lanes.values()].reduce((sum, lane) => sum + lane.waiting.length, 0),
  };
}
