import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [react()],
  test: {
    include: ['test/**/*.test.ts', 'test/**/*.test.tsx'],
    // What is long by nature runs only in `npm run test:long`.
    exclude: ['**/node_modules/**', ...(process.env.GATEHOUSE_TEST_LONG === '1' ? [] : ['test/long/**'])],
    pool: 'forks',
    // Most files wait for processes, timers and the disk: more of them at once than there are processors.
    maxWorkers: 3,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // A forgotten stand-in must neither reach the network nor hang (docs/testing.md).
    env: { ELECTRON_OVERRIDE_DIST_PATH: '/nonexistent' },
  },
});
