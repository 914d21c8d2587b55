import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { missingKeyringPackages, runUnderKeyring } from '../support/keyring.ts';

const missing = missingKeyringPackages();
const LOCKED = 'The keychain is locked. Unlock it, then try again.';
const fine = { banners: [], secretsLost: null, ran: true, class: null };

test.skipIf(missing.length > 0)(
  `with a real keyring a locked key is locked and comes back by itself, a lost one says what was lost and is replaced by one confirmed act${missing.length > 0 ? ` (needs ${missing})` : ''}`,
  { timeout: 90_000 },
  () => {
    const script = fileURLToPath(new URL('keyring-scenario.ts', import.meta.url));
    const said = runUnderKeyring('unlocked', script, [], 80_000);
    expect(said).toMatchObject({
      unlocked: fine,
      locked: { secretsLost: null, ran: false, class: 'audit_unavailable', starts: 1 },
      after: fine,
      sameKey: true,
      lost: { secretsLost: ['TOKEN of rec'], ran: false, class: 'secret_unavailable' },
      newKey: 'missing',
      begun: { code: 0, stderr: expect.stringContaining('  TOKEN of rec\n') },
      mended: { ...fine, token: 'of the second key' },
    });
    const { locked, lost } = said as { locked: { banners: string[] }; lost: { banners: string[] } };
    expect(locked.banners).toContain(LOCKED);
    expect(lost.banners.join('\n')).toContain(
      'begin with a new one and enter them again: gatehouse secrets begin-anew',
    );
  },
);
