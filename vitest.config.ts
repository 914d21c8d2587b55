import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

const NEVER = ['**/node_modules/**'];
/** What is long by nature runs only in `npm run test:long`. */
const LONG = process.env.GATEHOUSE_TEST_LONG === '1' ? [] : ['test/long/**'];
/** Vectors that hold within a second, five seconds or a budget of processor time: nothing else may run beside them. */
const ALONE = [
  'test/core/audit/durability.test.ts',
  'test/flow/aggregated.test.ts',
  'test/security/c-*.test.ts',
  'test/security/d-*.test.ts',
  'test/security/m-*.test.ts',
  'test/security/o-*.test.ts',
];

export default defineConfig({
  plugins: [react()],
  test: {
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // A forgotten stand-in must neither reach the network nor hang (docs/testing.md).
    env: { ELECTRON_OVERRIDE_DIST_PATH: '/nonexistent' },
    projects: [
      {
        extends: true,
        test: {
          name: 'together',
          include: ['test/**/*.test.ts', 'test/**/*.test.tsx'],
          exclude: [...NEVER, ...LONG, ...ALONE],
          // Most files wait for processes, timers and the disk: more of them at once than there are processors.
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: 'alone', include: ALONE, exclude: NEVER, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
