import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { defineConfig } from 'electron-vite';
import rendererConfig from './renderer/vite.config.ts';

const root = import.meta.dirname;

/** Inputs by the name of their output; files that are not there are left out, so that a part can be built alone. */
const existing = (inputs: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(inputs)
      .map(([name, file]) => [name, resolve(root, file)] as const)
      .filter(([, file]) => existsSync(file)),
  );

const main = existing({
  main: 'electron/main.ts',
  headless: 'electron/headless.ts',
  cli: 'electron/cli/main.ts',
  'audit-writer': 'electron/core/audit/writer.ts',
  'audit-reader': 'electron/core/audit/reader.ts',
  'sinks-worker': 'electron/core/sinks/worker.ts',
});
const preload = existing({
  preload: 'electron/preload.ts',
  'approval-preload': 'electron/desktop/approval-preload.ts',
});
/**
 * Native modules stay outside because they find their binaries beside themselves; electron-store because it belongs to
 * Electron and must never be loaded by the others. Everything else is bundled: a start reads ten files, not a thousand.
 */
const EXTERNAL = [/^electron($|\/)/, 'electron-store', 'better-sqlite3', /^@napi-rs\//];

export default defineConfig({
  main: {
    build: {
      outDir: resolve(root, 'out/main'),
      target: 'node24',
      externalizeDeps: false,
      rolldownOptions: {
        input: main,
        external: EXTERNAL,
        // A package inside oidc-provider evaluates text of its own to warn of old functions; nothing of ours calls those.
        checks: { eval: false },
        // Chunks lie beside the entries: what a module finds relative to itself is then the same in every one of them.
        output: { entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' },
      },
    },
  },
  preload:
    Object.keys(preload).length === 0
      ? undefined
      : {
          build: {
            outDir: resolve(root, 'out/preload'),
            target: 'node24',
            externalizeDeps: false,
            isolatedEntries: true,
            rolldownOptions: { input: preload, output: { format: 'cjs', entryFileNames: '[name].cjs' } },
          },
        },
  renderer: rendererConfig,
});
