import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { environment, ROOT } from './node24.mjs';
import { watched } from './progress.mjs';

/** How long getting the runtime (about 110 MB) may take before we go on without it. */
const LIMIT_MS = 5 * 60_000;
/** After a failure it is not tried again for a day, so that every start stays quick; `npm run setup -- --electron` does. */
const TRY_AGAIN_MS = 24 * 3_600_000;

/**
 * Why this machine shows no window, or null where it can. Electron 45 refuses to run as root with its sandbox on, and
 * without the sandbox we do not run it.
 */
export function whyNoDesktop() {
  if (process.platform === 'darwin' || process.platform === 'win32') return null;
  if (!process.env.DISPLAY && !process.env.WAYLAND_DISPLAY) {
    return 'there is no desktop session (neither DISPLAY nor WAYLAND_DISPLAY is set)';
  }
  return process.getuid?.() === 0 ? 'Electron does not run as root' : null;
}

/** The Electron program; got at the first need, with progress and a time limit, checked against the checksums of its package. */
export async function getElectron({ again = false } = {}) {
  const folder = join(ROOT, 'node_modules/electron');
  const given = process.env.ELECTRON_OVERRIDE_DIST_PATH;
  if (given) {
    const program = join(given, programName());
    if (existsSync(program)) return { kind: 'found', program };
    return { kind: 'none', why: `ELECTRON_OVERRIDE_DIST_PATH is ${given}, and Electron is not there` };
  }
  const program = join(folder, 'dist', programName());
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  if (isInstalled(folder, program, version)) return { kind: 'found', program };

  const stamp = join(ROOT, 'node_modules/.gatehouse-electron-failed');
  if (again) rmSync(stamp, { force: true });
  const failed = readFailure(stamp);
  if (failed?.version === version && Date.now() - failed.at < TRY_AGAIN_MS) {
    return { kind: 'none', why: `${failed.why}; npm run setup -- --electron tries again` };
  }
  const result = await watched(
    'Getting the Electron runtime (about 110 MB, first start only)',
    process.execPath,
    [join(folder, 'install.js')],
    { cwd: ROOT, env: environment(), limitMs: LIMIT_MS },
  );
  if (result === 0 && isInstalled(folder, program, version)) return { kind: 'found', program };
  const how = result === 'time limit' ? 'it took longer than 5 minutes' : 'the download failed';
  const why = `the Electron runtime cannot be had here (${how})`;
  remember(stamp, { version, at: Date.now(), why });
  return { kind: 'none', why };
}

function programName() {
  if (process.platform === 'darwin') return 'Electron.app/Contents/MacOS/Electron';
  return process.platform === 'win32' ? 'electron.exe' : 'electron';
}

function isInstalled(folder, program, version) {
  const stated = join(folder, 'dist/version');
  return existsSync(program) && existsSync(stated) && readFileSync(stated, 'utf8').trim().replace(/^v/, '') === version;
}

function remember(stamp, failure) {
  try {
    writeFileSync(stamp, JSON.stringify(failure));
  } catch {
    // A checkout of somebody else's: then it is tried again at the next start, which is all that is lost.
  }
}

function readFailure(stamp) {
  return existsSync(stamp) ? JSON.parse(readFileSync(stamp, 'utf8')) : null;
}
