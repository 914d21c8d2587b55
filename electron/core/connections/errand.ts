import type { Clock } from '../platform.ts';
import { createOutbound, type Outbound, type OutboundBounds, type OutboundParts } from './outbound.ts';
import type { Trace } from './trace.ts';

/** One trip to a vendor - a sign-in, a renewal, a sign-out - with what all its steps go by. */
export interface Errand {
  /** The upstream's name, for sentences. */
  readonly upstream: string;
  readonly outbound: Outbound;
  readonly trace: Trace;
  readonly clock: Clock;
}

export function createErrand(parts: OutboundParts, bounds: OutboundBounds, trace: Trace): Errand {
  return { upstream: bounds.upstream, outbound: createOutbound(parts, bounds), trace, clock: parts.clock };
}
