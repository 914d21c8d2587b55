import { existsSync, readFileSync } from 'node:fs';
import { afterEach, expect, test, vi } from 'vitest';
import { openConnected } from '../support/accounts.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { startDocumentHost } from '../support/vendors/document-host.ts';

/** The document that is ready to be hosted, at the address where it is then. */
function hosted(url: string): unknown {
  const ready = new URL('../../assets/client-metadata.json', import.meta.url);
  return { ...(JSON.parse(readFileSync(ready, 'utf8')) as object), client_id: url };
}

afterEach(() => vi.unstubAllEnvs());

const hasOpenssl = existsSync('/usr/bin/openssl');
test.skipIf(!hasOpenssl)('our hosted document is the client id, and nobody is registered (needs openssl)', async () => {
  await using host = await startDocumentHost(hosted);
  vi.stubEnv('GATEHOUSE_CLIENT_METADATA_URL', host.url);
  await using accounts = await openConnected({ metadataDocuments: { authority: host.authority } });
  expect(host.fetched()).toBe(1);
  expect(await accounts.whoami()).toMatchObject({ account: 'ada', client: host.url });
  expect(accounts.vendor.seen.filter(({ path }) => path === '/register')).toEqual([]);
  accounts.vendor.expireAccessTokens();
  expect(await accounts.whoami(), 'renewed as the same client').toMatchObject({ client: host.url });
});

test('a vendor that does not fetch documents registers us all the same', async () => {
  vi.stubEnv('GATEHOUSE_CLIENT_METADATA_URL', 'https://gatehouse.example/client-metadata.json');
  await using accounts = await openConnected();
  expect(accounts.vendor.seen.filter(({ path }) => path === '/register')).toHaveLength(1);
  expect(await accounts.whoami()).toMatchObject({ account: 'ada' });
});

test('an address that can be no client id keeps Gatehouse from starting, and says why', async () => {
  vi.stubEnv('GATEHOUSE_CLIENT_METADATA_URL', 'http://gatehouse.example/client-metadata.json');
  await expect(startGatehouse()).rejects.toThrow(/GATEHOUSE_CLIENT_METADATA_URL .* must be an https address/);
});
