import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import packageJson from '../../package.json' with { type: 'json' };

// electron-builder brings these two; asking them is how it checks a configuration itself, and needs no network.
const require = createRequire(createRequire(import.meta.url).resolve('electron-builder/package.json'));
const { validateConfiguration } = require('app-builder-lib/out/util/config/config') as {
  validateConfiguration(config: unknown, log: unknown): Promise<void>;
};
const { DebugLogger } = require('builder-util') as { DebugLogger: new (enabled: boolean) => unknown };

const root = new URL('../../', import.meta.url);
const config = parse(readFileSync(new URL('electron-builder.yml', root), 'utf8')) as Record<string, unknown>;

test('electron-builder accepts the configuration', async () => {
  await expect(validateConfiguration(config, new DebugLogger(false))).resolves.toBeUndefined();
});

test('and would not accept one with a slip in it', async () => {
  await expect(validateConfiguration({ ...config, asarr: true }, new DebugLogger(false))).rejects.toThrow(
    "unknown property 'asarr'",
  );
});

test('L2 the fuses are set so that the app binary is no Node and loads nothing but its own archive', () => {
  expect(config.electronFuses).toEqual({
    runAsNode: false,
    enableNodeOptionsEnvironmentVariable: false,
    enableNodeCliInspectArguments: false,
    enableEmbeddedAsarIntegrityValidation: true,
    onlyLoadAppFromAsar: true,
    enableCookieEncryption: true,
    grantFileProtocolExtraPrivileges: false,
  });
});

test('the icons it names are there, and so is what the package starts', () => {
  for (const platform of ['linux', 'mac', 'win']) {
    const { icon } = config[platform] as { icon: string };
    expect(existsSync(new URL(icon, root))).toBe(true);
  }
  expect(packageJson.main).toBe('out/main/main.js');
  expect(config.files).toContain('out/**');
});
