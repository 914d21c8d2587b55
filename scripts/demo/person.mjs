import { chromium } from 'playwright-core';

/** A person at the dashboard: looks, moves the mouse, presses. Every answer goes through what the screen shows. */
export async function openBrowser(link) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  });
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.setDefaultTimeout(20_000);
  await page.goto(link);

  async function screen(name) {
    await press(
      page
        .getByRole('navigation')
        .getByRole('button', { name })
        .or(page.getByRole('navigation').getByRole('link', { name }))
        .first(),
    );
  }

  /** By mouse, where it stands on the screen, once it has stood there for a moment and takes input. */
  async function press(target) {
    await target.waitFor();
    await target.scrollIntoViewIfNeeded();
    for (let tries = 0; tries < 20; tries += 1) {
      const before = await target.boundingBox();
      await page.mouse.move(before.x + before.width / 2, before.y + before.height / 2, { steps: 3 });
      await page.waitForTimeout(650);
      const after = await target.boundingBox();
      const stands = after !== null && after.x === before.x && after.y === before.y;
      if (!stands || !(await target.isEnabled())) continue;
      await page.mouse.down();
      await page.mouse.up();
      return;
    }
    throw new Error('a button never stood still');
  }

  async function answerCard(name, button) {
    await screen(/^Approvals/);
    const card = page.getByRole('article', { name }).first();
    await card.waitFor();
    await press(card.getByRole('button', { name: button, exact: true }));
    await card.waitFor({ state: 'detached' });
  }

  return {
    confirm: (title) => answerCard(title, 'Confirm'),
    approve: (tool) => answerCard(new RegExp(` ${tool}$`), 'Approve once'),
    deny: (tool) => answerCard(new RegExp(` ${tool}$`), 'Deny'),
    /** Presses Approve when a card comes up within two seconds; a call that runs at once shows none. */
    async approveIfAsked(tool) {
      await screen(/^Approvals/);
      const card = page.getByRole('article', { name: new RegExp(` ${tool}$`) }).first();
      const asked = await card.waitFor({ timeout: 2500 }).then(
        () => true,
        () => false,
      );
      if (asked) await answerCard(new RegExp(` ${tool}$`), 'Approve once');
    },
    /** Reads what waits of an upstream and accepts it; returns how many tools. */
    async review(upstream) {
      await screen(/^Tools/);
      const section = page.getByRole('region', { name: `Tools of ${upstream}`, exact: true });
      await press(section.getByRole('button', { name: /^Review \d+ tools?\b/ }));
      const accept = page.getByRole('button', { name: /^Accept \d+ tools?\b/ });
      const count = Number((await accept.textContent()).match(/\d+/)[0]);
      await press(accept);
      await accept.waitFor({ state: 'detached' });
      return count;
    },
    /** Another tab, as a program opens one; gives what stands in it once it is at an address like this. */
    async visit(address) {
      const tab = await browser.newPage();
      await tab.goto(address);
      return {
        text: () => tab.innerText('body'),
        async arrives(at) {
          await tab.waitForURL(at, { timeout: 20_000 });
          return tab.url();
        },
        close: () => tab.close(),
      };
    },
    /** What the person sees, into a file: for the moment something goes wrong. */
    picture: (path) => page.screenshot({ path }),
    close: () => browser.close(),
  };
}
