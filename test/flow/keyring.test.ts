import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { missingKeyringPackages, runUnderKeyring } from '../support/keyring.ts';

const missing = missingKeyringPackages();
const GONE = 'Its secret is not in the vault any more. Connect the account again.';
const NO_KEYCHAIN = 'No keychain on this machine, so secrets are not stored.';
const LOCKED = 'The keychain is locked. Unlock it, then try again.';
const connected = { state: 'connected', reason: null, answers: true };
const fine = { banners: [], secretsLost: null, ran: true, class: null, account: connected };
const LOST = [
  'TOKEN of rec',
  'the sign-in of the account "work" at notes',
  'what the vendor of notes knows Gatehouse by',
];
const script = fileURLToPath(new URL('keyring-scenario.ts', import.meta.url));

test.skipIf(missing.length > 0)(
  `with a real keyring a locked key is locked and comes back by itself, a lost one says what was lost and is replaced by one confirmed act${missing.length > 0 ? ` (needs ${missing})` : ''}`,
  { timeout: 90_000 },
  () => {
    const said = runUnderKeyring('unlocked', script, [], 80_000);
    expect(said).toMatchObject({
      unlocked: fine,
      locked: {
        secretsLost: null,
        ran: false,
        class: 'audit_unavailable',
        starts: 1,
        account: { state: 'locked', reason: LOCKED, answers: false },
      },
      after: fine,
      sameKey: true,
      lost: {
        secretsLost: expect.arrayContaining(LOST),
        ran: false,
        class: 'secret_unavailable',
        account: {
          state: 'reconnect',
          reason: expect.stringContaining('Then connect the account again.'),
          answers: false,
        },
      },
      newKey: 'missing',
      begun: { code: 0, stderr: expect.stringContaining('  TOKEN of rec\n') },
      begunAccount: { state: 'reconnect', reason: GONE, answers: false },
      again: 'connected',
      mended: { ...fine, token: 'of the second key' },
    });
    const { locked, lost } = said as { locked: { banners: string[] }; lost: { banners: string[] } };
    expect(locked.banners).toContain(LOCKED);
    expect(lost.banners.join('\n')).toContain(
      'begin with a new one and enter them again: gatehouse secrets begin-anew',
    );
  },
);

test.skipIf(missing.length > 0)(
  `without a keyring nobody is sent to a vendor: the sign-in says at once that nothing could be kept${missing.length > 0 ? ` (needs ${missing})` : ''}`,
  { timeout: 40_000 },
  () => {
    expect(runUnderKeyring('absent', script, ['absent'], 35_000)).toEqual({
      state: 'failed',
      code: 'secret_unavailable',
      message: expect.stringContaining(NO_KEYCHAIN),
      asked: 0,
    });
  },
);
