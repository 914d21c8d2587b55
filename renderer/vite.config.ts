import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import type { UserConfig } from 'vite';

const folder = fileURLToPath(new URL('.', import.meta.url));

/** The renderer alone; `electron.vite.config.ts` takes it over as it is. */
const config: UserConfig = {
  root: folder,
  base: './',
  plugins: [react()],
  build: {
    outDir: fileURLToPath(new URL('../out/renderer', import.meta.url)),
    emptyOutDir: true,
    sourcemap: false,
    target: 'chrome140',
    // SECURITY: nothing inline, the policy of the page would refuse it.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: { index: `${folder}index.html`, approval: `${folder}approval.html` } },
  },
};
export default config;
