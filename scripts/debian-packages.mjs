import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { fail, say, watched } from './progress.mjs';

/** What tests drive that no npm package brings: a browser, a desktop without a screen, a keychain, and tools that look on. */
const PACKAGES = {
  chromium: '/usr/bin/chromium',
  xvfb: '/usr/bin/xvfb-run',
  xauth: '/usr/bin/xauth',
  dbus: '/usr/bin/dbus-run-session',
  'dbus-x11': '/usr/bin/dbus-launch',
  'gnome-keyring': '/usr/bin/gnome-keyring-daemon',
  'libsecret-tools': '/usr/bin/secret-tool',
  dunst: '/usr/bin/dunst',
  'libnotify-bin': '/usr/bin/notify-send',
  strace: '/usr/bin/strace',
  sqlite3: '/usr/bin/sqlite3',
  // Debian keeps each major version in a folder of its own.
  postgresql: '/usr/lib/postgresql/*/bin/postgres',
  iproute2: '/usr/bin/ss',
  lsof: '/usr/bin/lsof',
  procps: '/usr/bin/ps',
};

/**
 * Installs the missing Debian packages as root or with a sudo that asks nothing. Otherwise names them in one line; with
 * CI=true that is a failure, because tests that need them would say nothing.
 */
export async function ensureDebianPackages() {
  if (process.platform !== 'linux') return;
  const missing = missingPackages();
  if (missing.length === 0) return;

  const prefix = rootPrefix();
  if (prefix !== null && existsSync('/usr/bin/apt-get')) {
    const apt = (...args) => [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args];
    const [update, ...updateArgs] = apt('update', '-q');
    await watched('Reading the Debian package lists', update, updateArgs);
    const [install, ...installArgs] = apt('install', '-y', '-q', '--no-install-recommends', ...missing);
    await watched(`Installing the Debian packages ${missing.join(' ')}`, install, installArgs);
  }
  const still = missingPackages();
  if (still.length === 0) return;
  const line = `The tests need these Debian packages: sudo apt-get install -y ${still.join(' ')}`;
  if (process.env.CI === 'true') fail(line);
  say(line);
}

function missingPackages() {
  return Object.keys(PACKAGES).filter((name) => !isThere(PACKAGES[name]));
}

/** At most one `*`, for the name of a folder. */
function isThere(path) {
  const [before, after] = path.split('*');
  if (after === undefined) return existsSync(path);
  return existsSync(before) && readdirSync(before).some((name) => existsSync(`${before}${name}${after}`));
}

/** What to put before a command so that root runs it; null where nobody may. */
function rootPrefix() {
  if (process.getuid?.() === 0) return [];
  return spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0 ? ['sudo', '-n'] : null;
}
