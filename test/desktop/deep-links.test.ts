import { expect, test } from 'vitest';
import { readDeepLink } from '../../electron/desktop/deep-links.ts';

test.each(['approvals', 'tools', 'upstreams', 'audit', 'clients', 'policy'])(
  'gatehouse://open/%s opens that page',
  (page) => {
    expect(readDeepLink(`gatehouse://open/${page}`)).toEqual({ kind: 'open', place: page });
    expect(readDeepLink(`gatehouse://open/${page}/`)).toEqual({ kind: 'open', place: page });
  },
);

test('a link to connections leads to the upstreams, where they are shown', () => {
  expect(readDeepLink('gatehouse://open/connections')).toEqual({ kind: 'open', place: 'upstreams' });
});

test('a link to the accounts of one upstream leads to them', () => {
  expect(readDeepLink('gatehouse://open/connections/github-2')).toEqual({ kind: 'open', place: 'upstreams/github-2' });
});

test.each([
  '',
  'gatehouse:',
  'gatehouse://approve/abc',
  'gatehouse://open/',
  'gatehouse://open/nowhere',
  'gatehouse://open/toString',
  'gatehouse://open/audit?approve=1',
  'gatehouse://open/audit#x',
  'gatehouse://open/../audit',
  'gatehouse://open/audit/github',
  'gatehouse://open/connections/-x',
  'gatehouse://open/connections/a%20b',
  'gatehouse://open/connections/a/b',
  'gatehouse://open/audit/../../x',
  'gatehouse://user@open/audit',
  'GATEHOUSE://open/audit',
  'gatehouse://open/audit\n--inspect',
  'https://open/audit',
  'javascript:alert(1)',
])('%j is not understood and does nothing', (text) => {
  expect(readDeepLink(text)).toEqual({ kind: 'unknown' });
});
