/**
 * Lets requests start in turn, one per key and turn of the event loop, so that a key with a thousand waiting requests
 * delays another key's request by one of its own and not by all. Bounds are per key on requests in flight and queued,
 * not on calls per second (design section 9, D9).
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

interface Lane {
  inFlight: number;
  readonly waiting: ((leave: () => void) => void)[];
}

export function createAdmission(limits: AdmissionLimits = ADMISSION_LIMITS): Admission {
  const lanes = new Map<string, Lane>();
  let turn: NodeJS.Immediate | null = null;

  function schedule(): void {
    if (turn === null) turn = setImmediate(startOnePerKey);
  }

  function startOnePerKey(): void {
    turn = null;
    let more = false;
    for (const [keyId, lane] of lanes) {
      if (lane.waiting.length === 0 || lane.inFlight >= limits.inFlight) continue;
      lane.inFlight += 1;
      lane.waiting.shift()?.(leaveOnce(keyId, lane));
      more ||= lane.waiting.length > 0 && lane.inFlight < limits.inFlight;
    }
    if (more) schedule();
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
