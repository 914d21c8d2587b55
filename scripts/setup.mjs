import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { environment, ROOT, underNode24 } from './node24.mjs';
import { during, say } from './progress.mjs';

/**
 * Everything that has to be there before Gatehouse or its tests can run, each step only when it is not done yet:
 * Node 24, the packages of the lock file, the build. Shared by all scripts; `npm run setup` runs it alone.
 */
export async function setUp() {
  await underNode24();
  if (packagesAreThere() && buildIsThere()) return;
  const unlock = await lock();
  try {
    if (!packagesAreThere()) await installPackages();
    if (!buildIsThere()) await build();
  } finally {
    unlock();
  }
}

const PACKAGES_STAMP = join(ROOT, 'node_modules/.gatehouse-stamp');
const BUILD_STAMP = join(ROOT, 'out/.stamp');

function packagesAreThere() {
  const wanted = packagesHash();
  if (read(PACKAGES_STAMP) === wanted) return true;
  if (!installedAsLocked()) return false;
  writeFileSync(PACKAGES_STAMP, wanted);
  return true;
}

async function installPackages() {
  await during('Installing packages', 'npm', ['ci', '--loglevel=error'], { cwd: ROOT, env: environment() });
  writeFileSync(PACKAGES_STAMP, packagesHash());
}

function packagesHash() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`);
  return hash.update(readFileSync(join(ROOT, 'package-lock.json'))).digest('hex');
}

/** True when somebody installed exactly the locked packages by hand: npm keeps its own list of what it put there. */
function installedAsLocked() {
  const installed = read(join(ROOT, 'node_modules/.package-lock.json'));
  if (installed === null) return false;
  const have = JSON.parse(installed).packages;
  const wanted = Object.entries(JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).packages);
  return wanted.every(([path, entry]) => {
    if (path === '') return true;
    if (have[path]) return have[path].version === entry.version && existsSync(join(ROOT, path, 'package.json'));
    return entry.optional === true || entry.devOptional === true || entry.peer === true;
  });
}

function buildIsThere() {
  return read(BUILD_STAMP) === sourcesHash();
}

async function build() {
  const before = sourcesHash();
  rmSync(BUILD_STAMP, { force: true });
  const vite = join(ROOT, 'node_modules/electron-vite/bin/electron-vite.js');
  await during('Building', process.execPath, [vite, 'build', '--logLevel', 'warn'], { cwd: ROOT, env: environment() });
  // The state that was built: what changed meanwhile is built at the next start.
  writeFileSync(BUILD_STAMP, before);
}

/** Over the content, not the times: a fresh checkout of the same sources needs no build. */
function sourcesHash() {
  const hash = createHash('sha256');
  for (const file of [...SOURCE_FILES, ...SOURCE_FOLDERS.flatMap(filesIn)]) {
    const content = existsSync(join(ROOT, file)) ? readFileSync(join(ROOT, file)) : Buffer.of();
    hash.update(`${file} ${content.length}\n`).update(content);
  }
  return hash.digest('hex');
}

const SOURCE_FILES = ['electron.vite.config.ts', 'package.json', 'package-lock.json'];
const SOURCE_FOLDERS = ['electron', 'renderer', 'shared'];

function filesIn(folder) {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => (entry.isDirectory() ? filesIn(`${folder}/${entry.name}`) : [`${folder}/${entry.name}`]));
}

/** One set-up at a time in one checkout; a lock whose process is gone is broken. */
async function lock() {
  const path = join(ROOT, 'out/.setup-lock');
  mkdirSync(join(ROOT, 'out'), { recursive: true });
  for (let told = false; ; told = true) {
    try {
      const file = openSync(path, 'wx');
      writeFileSync(file, String(process.pid));
      closeSync(file);
      const unlock = () => rmSync(path, { force: true });
      // A failing step ends the process from where it stands.
      process.once('exit', unlock);
      return unlock;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const owner = Number(read(path) ?? 0);
    if (owner > 0 && !isAlive(owner)) {
      rmSync(path, { force: true });
      continue;
    }
    if (!told) say(`Waiting for another set-up (process ${owner}) …`);
    await pause(200);
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await setUp();
  if (process.argv.includes('--electron')) {
    const { getElectron } = await import('./electron-runtime.mjs');
    const electron = await getElectron({ again: true });
    say(electron.kind === 'found' ? 'The Electron runtime is there.' : `No Electron runtime: ${electron.why}.`);
  }
  say('Everything is set up.');
}
