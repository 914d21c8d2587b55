import { test } from 'vitest';
import { killStorm } from '../support/kill-storm.ts';

/** 200 of them: test/long/security-o4.test.ts. */
test(
  'O4: after each of 15 kill -9 under 50 calls per second the log is whole, and says of each call what is unknown',
  {
    timeout: 90_000,
  },
  () => killStorm({ kills: 15, seed: 20_261_120 }),
);
