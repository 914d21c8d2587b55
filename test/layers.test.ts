import { globSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import { expect, test } from 'vitest';

/**
 * Who may import whom. A file imports from its own row or a lower one; the first pattern that fits a file gives its row.
 * The order is the flow of a call: from the shell, through the gateway and `call-tool.ts`, down to the nouns.
 */
const ROWS: readonly (readonly [row: string, ...patterns: string[]])[] = [
  ['entry', 'electron/main.ts'],
  [
    'shells',
    'electron/headless.ts',
    'electron/desktop/',
    'electron/dashboard/',
    'electron/cli/',
    'electron/preload.ts',
  ],
  ['control', 'electron/core/control/'],
  ['core', 'electron/core/core.ts'],
  [
    'requests',
    'electron/core/requests/',
    'electron/core/changes.ts',
    'electron/core/health.ts',
    'electron/core/notes.ts',
    'electron/core/schema.ts',
    'electron/core/topics.ts',
  ],
  ['api', 'electron/core/api.ts'],
  ['listener', 'electron/core/gateway/http.ts'],
  ['gateway', 'electron/core/gateway/'],
  ['client sign-in', 'electron/core/client-sign-in/'],
  ['call', 'electron/core/call-tool.ts', 'electron/core/call/'],
  ['connections', 'electron/core/connections/'],
  ['upstreams', 'electron/core/upstreams/'],
  ['catalog', 'electron/core/catalog/'],
  ['approvals', 'electron/core/approvals/'],
  ['sinks', 'electron/core/sinks/'],
  [
    'nouns',
    'electron/core/policy/',
    'electron/core/audit/',
    'electron/core/clients/',
    'electron/core/seals/',
    'electron/core/secrets/',
  ],
  [
    'ground',
    'electron/core/store/',
    'electron/core/platform.ts',
    'electron/core/diagnosis/',
    'electron/core/exact-json.ts',
    'electron/core/local-day.ts',
    'electron/core/exact-members.ts',
    'electron/core/exact-text.ts',
    'electron/core/time-limit.ts',
  ],
  ['shared', 'shared/'],
];

interface Ban {
  readonly in: RegExp;
  readonly from: RegExp;
  readonly why: string;
}

const NODE = new RegExp(`^package:(node:|(${builtinModules.filter((name) => !name.startsWith('_')).join('|')})$)`);

const NEVER: readonly Ban[] = [
  {
    in: /^electron\/core\//,
    from: /^package:electron($|\/|-)/,
    why: 'the core must run in plain Node: headless, in tests and in CI',
  },
  {
    in: /^electron\/(dashboard|cli)\/|^electron\/headless/,
    from: /^package:electron($|\/|-)/,
    why: 'headless must run where no Electron is',
  },
  {
    in: /^electron\/(preload|desktop\/.*preload)\.ts$/,
    from: /^electron\/core\//,
    why: 'the preload runs inside the window and must hold nothing of the core',
  },
  { in: /^shared\//, from: NODE, why: 'every process loads shared/, the sandboxed window too' },
  { in: /^shared\//, from: /^package:(electron|react)/, why: 'every process loads shared/, the sandboxed window too' },
  { in: /^renderer\//, from: NODE, why: 'the window is sandboxed and reaches the core only through shared/api.ts' },
  {
    in: /^renderer\//,
    from: /^(package:)?electron/,
    why: 'the window is sandboxed and reaches the core only through shared/api.ts',
  },
  { in: /^electron\//, from: /^renderer\//, why: 'the core and the shell do not know how they are shown' },
];

const BAD_NAMES = /(^|\/)(utils?|helpers?|managers?|services?|types|misc|common)(\/|\.tsx?$)|(^|\/)index\.tsx?$/;

interface SourceFile {
  readonly path: string;
  readonly imports: readonly string[];
}

function violations(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, imports }) => {
    const found: string[] = [];
    if (BAD_NAMES.test(path)) found.push(`${path}: a file is named for the one thing it holds`);
    const row = rowOf(path);
    const isRenderer = path.startsWith('renderer/');
    if (row < 0 && !isRenderer) found.push(`${path}: has no place; give it one in test/layers.test.ts`);
    for (const wanted of imports) {
      const target = wanted.startsWith('.')
        ? posix.normalize(posix.join(posix.dirname(path), wanted))
        : `package:${wanted}`;
      const ban = NEVER.find((one) => one.in.test(path) && one.from.test(target));
      if (ban) found.push(`${path}: never imports ${target}: ${ban.why}`);
      else if (wanted.startsWith('.') && !isRenderer && row >= 0 && rowOf(target) >= 0 && rowOf(target) < row)
        found.push(`${path}: imports upward from ${target}`);
      else if (isRenderer && wanted.startsWith('.') && !/^(renderer|shared)\//.test(target))
        found.push(`${path}: imports ${target}, which is outside renderer/ and shared/`);
    }
    return found;
  });
}

function rowOf(path: string): number {
  return ROWS.findIndex(([, ...patterns]) =>
    patterns.some((pattern) => (pattern.endsWith('/') ? path.startsWith(pattern) : path === pattern)),
  );
}

function importsOf(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  return [...code.matchAll(/(?:\bfrom\s*|\bimport\s*\(\s*|^\s*import\s+)['"]([^'"]+)['"]/gm)].map(
    (match) => match[1] ?? '',
  );
}

const SOURCES = globSync(['electron/**/*.ts', 'shared/**/*.ts', 'renderer/**/*.{ts,tsx}'])
  .map((path) => path.split('\\').join('/'))
  .filter((path) => !path.endsWith('.config.ts') && !path.endsWith('.d.ts'))
  .map((path) => ({ path, imports: importsOf(readFileSync(path, 'utf8')) }));

test('imports point down, the core never imports Electron, the window holds nothing but shared/', () => {
  expect(SOURCES.length).toBeGreaterThan(60);
  expect(violations(SOURCES)).toEqual([]);
});

test.each([
  ['the core imports Electron', 'electron/core/policy/decide.ts', 'electron', 'plain Node'],
  ['the core imports electron-store', 'electron/core/store/store.ts', 'electron-store', 'plain Node'],
  ['a noun imports upward', 'electron/core/policy/decide.ts', '../call-tool.ts', 'imports upward'],
  ['the gateway imports the core', 'electron/core/gateway/http.ts', '../core.ts', 'imports upward'],
  ['the window reaches into the core', 'renderer/app.tsx', '../electron/core/core.ts', 'sandboxed'],
  ['the window imports Node', 'renderer/app.tsx', 'node:fs', 'sandboxed'],
  ['shared imports Node', 'shared/model.ts', 'fs', 'every process'],
  ['the preload imports the core', 'electron/preload.ts', './core/core.ts', 'must hold nothing'],
  ['a file without a place', 'electron/extra/thing.ts', 'zod', 'has no place'],
  ['a barrel', 'electron/core/policy/index.ts', './decide.ts', 'named for the one thing'],
  ['a drawer', 'electron/core/policy/utils.ts', './decide.ts', 'named for the one thing'],
])('the check sees it when %s', (_case, path, wanted, said) => {
  expect(violations([{ path, imports: [wanted] }]).join('\n')).toContain(said);
});

test('the check reads every way to import', () => {
  const text = `import a from 'a';\nimport type { B } from "./b.ts";\nexport { c } from './c.ts';\nawait import('d');\nimport 'e';\n// import 'no'\n`;
  expect(importsOf(text).sort()).toEqual(['./b.ts', './c.ts', 'a', 'd', 'e']);
});
