import { afterAll, beforeAll, expect, test } from 'vitest';
import { askedFor, openTab, openUi, type Ui } from '../support/ui.ts';

let ui: Ui;
beforeAll(async () => {
  ui = await openUi();
});
afterAll(() => ui.close());

test('what was sealed with a lost key is listed as text, and nothing is forgotten before it was asked twice', async () => {
  const tab = await openTab(ui, (core) => {
    core.state.status = {
      ...core.state.status,
      banners: ['The key that opens the stored secrets is no longer in the keychain. Put it back from a backup.'],
      secretsLost: ['TOKEN of <b>rec</b>', 'the sign-in of the account "work" at notes'],
    };
  });
  try {
    const lost = tab.page.getByRole('region', { name: 'Lost secrets' });
    await lost.getByText('TOKEN of <b>rec</b>').waitFor();
    expect(await lost.getByRole('listitem').count()).toBe(2);
    const begin = lost.getByRole('button', { name: 'Begin with a new key', exact: true });
    await begin.press('Enter');
    await lost.getByText('These are then lost for good').waitFor();
    expect(askedFor(tab.core, 'secretsBeginAnew')).toEqual([]);
    await lost.getByRole('button', { name: 'Keep', exact: true }).press('Enter');
    await begin.press('Enter');
    const picture = process.env.GATEHOUSE_PICTURE;
    if (picture !== undefined) await tab.page.screenshot({ path: picture });
    await begin.press('Enter');
    await lost.getByText('The double does not do this.').waitFor();
    expect(askedFor(tab.core, 'secretsBeginAnew')).toHaveLength(1);
    expect(tab.faults).toEqual([]);

    tab.core.state.status = { ...tab.core.state.status, banners: [], secretsLost: null };
    tab.core.tell('status');
    await lost.waitFor({ state: 'detached' });
  } finally {
    await tab.close();
  }
});
