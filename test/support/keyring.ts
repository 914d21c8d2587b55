import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as dbus from '@jellybrick/dbus-next';

export type KeyringMode = 'unlocked' | 'empty' | 'absent' | 'no-bus';

/** Debian packages that the real keyring needs and that are not here. */
export function missingKeyringPackages(): readonly string[] {
  const needed = [
    ['dbus-run-session', 'dbus-daemon'],
    ['dbus-send', 'dbus-bin'],
    ['gnome-keyring-daemon', 'gnome-keyring'],
  ] as const;
  return needed.filter(([command]) => !onPath(command)).map(([, debianPackage]) => debianPackage);
}

/**
 * Runs a TypeScript file in this Node under `keyring.sh` and gives back what it printed as its last line, read as JSON.
 * Throws with the whole output when it fails.
 */
export function runUnderKeyring(
  mode: KeyringMode,
  script: string,
  args: readonly string[] = [],
  timeout = 25_000,
): unknown {
  const shell = fileURLToPath(new URL('keyring.sh', import.meta.url));
  const run = spawnSync(shell, [mode, process.execPath, script, ...args], { encoding: 'utf8', timeout });
  if (run.status !== 0) {
    throw new Error(`keyring.sh ${mode} ended with ${run.status ?? run.signal}\n${run.stdout}\n${run.stderr}`);
  }
  return JSON.parse(run.stdout.trimEnd().split('\n').at(-1) ?? '');
}

/** Locks the login collection of the session bus's keyring, as a screen lock or a log-out does. */
export async function lockKeyring(): Promise<void> {
  const bus = dbus.sessionBus();
  await callSecrets(bus, 'org.freedesktop.Secret.Service', 'Lock', 'ao', [[LOGIN_COLLECTION]]);
  bus.disconnect();
}

/** Unlocks it with the password that `keyring.sh` gave it, as the desktop's log-in does. The daemon goes on running. */
export async function unlockKeyring(): Promise<void> {
  const bus = dbus.sessionBus();
  const session = await callSecrets(bus, 'org.freedesktop.Secret.Service', 'OpenSession', 'sv', [
    'plain',
    new dbus.Variant('s', ''),
  ]);
  const secret = [session.body[1], Buffer.alloc(0), Buffer.from('test-pass'), 'text/plain'];
  await callSecrets(
    bus,
    'org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface',
    'UnlockWithMasterPassword',
    'o(oayays)',
    [LOGIN_COLLECTION, secret],
  );
  bus.disconnect();
}

const LOGIN_COLLECTION = '/org/freedesktop/secrets/collection/login';

async function callSecrets(
  bus: dbus.MessageBus,
  face: string,
  member: string,
  signature: string,
  body: readonly unknown[],
): Promise<dbus.Message> {
  const destination = 'org.freedesktop.secrets';
  const path = '/org/freedesktop/secrets';
  const reply = await bus.call(
    new dbus.Message({ destination, path, interface: face, member, signature, body: [...body] }),
  );
  if (!reply) throw new Error(`${member} gave no reply`);
  return reply;
}

function onPath(command: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
