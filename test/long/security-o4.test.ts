import { test } from 'vitest';
import { killStorm } from '../support/kill-storm.ts';

test('O4: after each of 200 kill -9 under 50 calls per second the log is whole, and says of each call what is unknown', () =>
  killStorm({ kills: 200, seed: 4 }));
