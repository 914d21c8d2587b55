import type { SinkView } from '../../shared/model.ts';

/** A sink that has delivered everything, with these differences. */
export function aSink(change: Partial<SinkView> = {}): SinkView {
  return {
    id: 's1',
    name: 'central',
    target: { kind: 'otlp', url: 'https://collector.example/v1/logs', secretHeaders: ['x-api-key'] },
    state: 'up_to_date',
    reason: null,
    failingSince: null,
    nextTryAt: null,
    deliveredSeq: 12_345,
    headSeq: 12_345,
    waiting: 0,
    deliveredAt: Date.now() - 65_000,
    missed: 0,
    createdAt: 0,
    ...change,
  };
}
