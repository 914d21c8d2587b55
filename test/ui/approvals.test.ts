import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { aConfirmation, anApproval, aStanding } from '../support/fake-core.ts';
import { askedFor, openTab, openUi, type Tab, type Ui } from '../support/ui.ts';

let ui: Ui;
let tab: Tab;
beforeAll(async () => {
  ui = await openUi();
});
afterAll(() => ui.close());
afterEach(() => tab.close());

const approve = () => tab.page.getByRole('button', { name: 'Approve once' });
const deny = () => tab.page.getByRole('button', { name: 'Deny', exact: true });
/** Until the guard has let go and the end of the arguments was seen. */
const armed = () => tab.page.waitForSelector('button.approve:enabled');

describe('answering a call', () => {
  test('a mouse click on Approve sends the digest of the exact text that was shown', async () => {
    const argumentsText = '{"n":9007199254740993, "b":1.0}';
    tab = await openTab(ui, (core) => core.state.approvals.push(anApproval({ argumentsText })));
    expect(await tab.page.getByLabel('Arguments as a tree').innerText()).toContain('9007199254740993');
    await tab.page.getByText('Exact text').click();
    expect(await tab.page.getByLabel('Arguments as exact text').textContent()).toBe(argumentsText);
    await armed();
    await approve().click();
    await tab.page.getByText('Nothing waits for you').waitFor();
    const argumentsSha256 = createHash('sha256').update(argumentsText).digest('hex');
    expect(askedFor(tab.core, 'approvalApprove')).toEqual([
      { approval: 'a1', argumentsSha256, scope: 'once', pins: [], edited: null },
    ]);
    expect(tab.core.asked.find((asked) => asked.name === 'approvalApprove')?.caller.origin).toBe('dashboard');
    expect(tab.faults).toEqual([]);
  });

  test.each([
    ['{"__proto__":{"polluted":1}}', '__proto__'],
    ['{"constructor":{"prototype":{"polluted":1}}}', 'constructor'],
  ])('C7 the card shows the key of %s, and the page is not polluted by it', async (argumentsText, key) => {
    const previous = '{"__proto__":{"polluted":2},"constructor":{"prototype":{"polluted":2}}}';
    const card = { argumentsText, previous: { argumentsText: previous, at: Date.now() } };
    tab = await openTab(ui, (core) => core.state.approvals.push(anApproval(card)));
    const tree = await tab.page.getByLabel('Arguments as a tree').innerText();
    expect(tree).toContain(key);
    expect(tree).toContain('polluted');
    await tab.page.getByText('Exact text').click();
    expect(await tab.page.getByLabel('Arguments as exact text').textContent()).toBe(argumentsText);
    expect(await tab.page.evaluate('({}).polluted === undefined')).toBe(true);
    expect(tab.faults).toEqual([]);
  });

  test('the card says first as which account the call goes out, as text', async () => {
    const called = { upstream: 'github', tool: 'create_issue', connection: '<b>work</b>' };
    tab = await openTab(ui, (core) => {
      core.state.approvals.push(anApproval(called));
      core.state.standing.push(aStanding(called));
    });
    const card = tab.page.locator('article').first();
    expect(await card.getByRole('heading', { level: 3 }).innerText()).toBe('github as <b>work</b> / create_issue');
    expect(await card.innerText()).toMatch(/Account\s+<b>work<\/b>/);
    expect(await tab.page.getByRole('listitem').allInnerTexts()).toContainEqual(
      expect.stringContaining('github as <b>work</b> / create_issue'),
    );
    expect(tab.faults).toEqual([]);
  });

  test('a yes for longer is chosen by hand and named on the button', async () => {
    tab = await openTab(ui, (core) => core.state.approvals.push(anApproval()));
    await tab.page.getByText('15 minutes').click();
    await armed();
    await tab.page.getByRole('button', { name: 'Approve for 15 minutes' }).click();
    await tab.page.getByText('Standing approvals').waitFor();
    expect(askedFor(tab.core, 'approvalApprove')).toMatchObject([{ scope: 'minutes15' }]);
    await tab.page.getByRole('button', { name: 'Revoke' }).click();
    await tab.page.getByText('Standing approvals').waitFor({ state: 'detached' });
    expect(tab.core.state.standing).toEqual([]);
  });

  test('a denial takes its reason to the agent', async () => {
    tab = await openTab(ui, (core) => core.state.approvals.push(anApproval()));
    await tab.page.getByRole('button', { name: 'With a reason, or pause…' }).click();
    await tab.page.getByLabel('What the agent is told').fill('use staging');
    await tab.page.waitForSelector('button.deny:enabled');
    await tab.page.getByRole('button', { name: 'Deny with this reason' }).click();
    await tab.page.getByText('“use staging”').waitFor();
    expect(askedFor(tab.core, 'approvalDeny')).toEqual([{ approval: 'a1', reason: 'use staging', pause: false }]);
  });

  test('a refused answer says why beside the buttons', async () => {
    tab = await openTab(ui, (core) => core.state.approvals.push(anApproval({ argumentsSha256: 'shown' })));
    await armed();
    tab.core.state.approvals[0] = anApproval({ argumentsSha256: 'other' });
    await approve().click();
    await tab.page.getByText('These are not the arguments that were shown.').waitFor();
    expect(tab.core.state.approvals[0]?.state).toBe('waiting');
  });

  test('a text that replaces another is shown with the words that changed', async () => {
    const line = { label: 'Changed: description', value: 'mails it\u200b', before: 'returns it' };
    tab = await openTab(ui, (core) => core.state.confirmations.push(aConfirmation({ lines: [line] })));
    await tab.page.getByText('Changed: description').waitFor();
    const shown = tab.page.locator('.exact');
    expect(await shown.locator('del').allTextContents()).toEqual(['returns']);
    expect(await shown.locator('ins').allTextContents()).toEqual(['mails', '\\u200b']);
  });

  test('a confirmation is shown line by line and confirmed by hand', async () => {
    tab = await openTab(ui, (core) => core.state.confirmations.push(aConfirmation()));
    await tab.page.getByText('weather-server', { exact: true }).waitFor();
    await armed();
    await tab.page.getByRole('button', { name: 'Confirm' }).click();
    await tab.page.getByText('Nothing waits for you').waitFor();
    expect(askedFor(tab.core, 'confirmationAnswer')).toEqual([{ confirmation: 'f1', answer: 'confirm' }]);
  });

  test('the dashboard says what approving there means', async () => {
    tab = await openTab(ui);
    await tab.page.getByText('This tab approves.').waitFor();
    await tab.page.getByRole('button', { name: 'Understood' }).click();
    await tab.page.reload();
    await tab.page.getByRole('heading', { level: 2 }).waitFor();
    expect(await tab.page.getByText('This tab approves.').count()).toBe(0);
  });
});

describe('more than yes and no', () => {
  const text = '{"path":"/a","n":9007199254740993,"api_key":"sk-1234567890abcdef12"}';

  test('edited arguments are sent as they were typed, for this call alone, and show what changed', async () => {
    tab = await openTab(ui, (core) => core.state.approvals.push(anApproval({ argumentsText: text, session: 's1' })));
    await armed();
    await tab.page.getByText('15 minutes').click();
    await tab.page.getByRole('button', { name: 'Edit…' }).click();
    const box = tab.page.getByLabel('Arguments to run');
    expect(await box.inputValue()).toBe(text);
    await box.fill('{"path":"/a"');
    await tab.page.getByText('This is not JSON yet.').waitFor();
    expect(await tab.page.getByRole('button', { name: 'Approve as edited' }).isDisabled()).toBe(true);
    const edited = text.replace('…993', '').replace('/a', '/b\u200b');
    await box.fill(edited);
    expect(await tab.page.getByLabel('What you changed').innerText()).toMatch(/\/path/);
    await tab.page.getByText('holds characters that cannot be seen; as it is, with escapes:').waitFor();
    await armed();
    await tab.page.getByRole('button', { name: 'Approve as edited' }).click();
    await tab.page.getByText('Nothing waits for you').waitFor();
    expect(askedFor(tab.core, 'approvalApprove')).toMatchObject([{ scope: 'once', edited, pins: [] }]);
    expect(tab.faults).toEqual([]);
  });

  test('values are pinned one by one; nothing is pinned without a tick, and secrets are not shown', async () => {
    tab = await openTab(ui, (core) => core.state.approvals.push(anApproval({ argumentsText: text })));
    await armed();
    await tab.page.getByText('These values…').click();
    const button = tab.page.getByRole('button', { name: 'Approve these values always' });
    expect(await button.isDisabled()).toBe(true);
    const pins = tab.page.getByRole('group', { name: 'Always, for calls of this tool' });
    expect(await pins.innerText()).not.toContain('sk-1234');
    await pins.getByText('/path').click();
    await pins.getByText('/n', { exact: true }).click();
    await armed();
    await button.click();
    await tab.page.getByText('Nothing waits for you').waitFor();
    expect(askedFor(tab.core, 'approvalApprove')).toMatchObject([{ scope: 'values', pins: ['/path', '/n'] }]);
  });

  test('a scope that the core would refuse cannot be chosen', async () => {
    tab = await openTab(ui, (core) => core.state.approvals.push(anApproval({ risk: 'destructive', session: null })));
    const scopes = tab.page.getByRole('radiogroup', { name: 'How long a yes lasts' }).getByRole('radio');
    const off = await scopes.evaluateAll((all) => all.map((one) => one.hasAttribute('disabled')));
    expect(off).toEqual([false, true, true, true, true]);
  });

  test('deny and pause says so to the core, with the reason', async () => {
    tab = await openTab(ui, (core) => core.state.approvals.push(anApproval()));
    await tab.page.getByRole('button', { name: 'With a reason, or pause…' }).click();
    await tab.page.getByLabel('What the agent is told').fill('stop');
    await tab.page.waitForSelector('button.deny:enabled');
    await tab.page.getByRole('button', { name: 'Deny and pause client' }).click();
    await tab.page.getByText('Nothing waits for you').waitFor();
    expect(askedFor(tab.core, 'approvalDeny')).toEqual([{ approval: 'a1', reason: 'stop', pause: true }]);
  });

  test('what differs from the last approved call is marked, secrets are not shown by it', async () => {
    const previous = { at: Date.now() - 180_000, argumentsText: text.replace('/a', '/old').replace('sk-1', 'sk-2') };
    tab = await openTab(ui, (core) => core.state.approvals.push(anApproval({ argumentsText: text, previous })));
    const difference = tab.page.getByLabel('Difference to the last approved call');
    expect(await difference.innerText()).toContain('3 min ago');
    expect(await difference.locator('del').innerText()).toContain('old');
    expect(await difference.locator('ins').innerText()).toContain('a');
    expect(await difference.innerText()).toContain('is another, and looks like a secret');
    expect(await difference.innerText()).not.toContain('sk-');
    expect(await difference.innerText()).not.toContain('/n');
  });
});

describe('a result that a rule holds', () => {
  const held = { resultText: '{"content":[{"type":"text","text":"dear <b>diary</b>\u202e"}]}', resultSha256: 'shown' };

  test('is shown as text beside what the call was, and released by hand with its digest', async () => {
    tab = await openTab(ui, (core) => core.state.approvals.push(anApproval({ held })));
    await tab.page.getByText('This call has run.').waitFor();
    const result = tab.page.getByLabel('Result as a tree');
    expect(await result.innerText()).toContain('dear <b>diary</b>');
    expect(await result.innerText()).toContain('\\u202e');
    expect(await tab.page.getByRole('button', { name: 'Approve once' }).count()).toBe(0);
    await tab.page.getByRole('button', { name: 'Show the arguments it ran with' }).click();
    await tab.page.getByLabel('Arguments it ran with as a tree').waitFor();
    await armed();
    await tab.page.getByRole('button', { name: 'Release to the agent' }).click();
    await tab.page.getByText('Nothing waits for you').waitFor();
    expect(askedFor(tab.core, 'resultRelease')).toEqual([{ approval: 'a1', resultSha256: 'shown' }]);
    expect(tab.faults).toEqual([]);
  });

  test('is withheld with a reason', async () => {
    tab = await openTab(ui, (core) => core.state.approvals.push(anApproval({ held })));
    await tab.page.getByRole('button', { name: 'With a reason, or pause…' }).click();
    await tab.page.getByLabel('What the agent is told').fill('mine');
    await tab.page.waitForSelector('button.deny:enabled');
    await tab.page.getByRole('button', { name: 'Withhold with this reason' }).click();
    await tab.page.getByText('Nothing waits for you').waitFor();
    expect(askedFor(tab.core, 'resultWithhold')).toEqual([{ approval: 'a1', reason: 'mine', pause: false }]);
  });
});

describe('a burst of one tool is one table', () => {
  const burst =
    (count: number, more = {}) =>
    (core: Tab['core']) => {
      for (let n = 1; n <= count; n += 1) {
        const argumentsText = JSON.stringify({ path: `/tmp/${n}`, mode: 'create' });
        core.state.approvals.push(
          anApproval({ id: `a${n}`, group: 'g', createdAt: Date.now() + n, argumentsText, ...more }),
        );
      }
    };

  test('of what differs; what is the same stands once; the ticked calls are approved, each with its own digest', async () => {
    tab = await openTab(ui, burst(3));
    const table = tab.page.getByRole('table');
    await table.waitFor();
    expect(await table.locator('th').allInnerTexts()).toEqual(['', '/path', 'Alone']);
    expect(await table.locator('tbody td:nth-child(2)').allInnerTexts()).toEqual(['"/tmp/1"', '"/tmp/2"', '"/tmp/3"']);
    expect(await tab.page.getByLabel('The same in all calls').innerText()).toContain('"create"');
    expect(await tab.page.getByRole('article').count()).toBe(1);
    const approveThem = tab.page.getByRole('button', { name: /^Approve \d/ });
    expect(await approveThem.isDisabled()).toBe(true);
    for (const n of [1, 3]) await tab.page.getByLabel(`Call ${n}`, { exact: true }).click({ force: true });
    await armed();
    expect(await approveThem.innerText()).toBe('Approve 2 calls once');
    const [first, , third] = tab.core.state.approvals;
    await approveThem.click();
    await expect
      .poll(() => askedFor(tab.core, 'approvalsApproveMany'))
      .toEqual([
        {
          calls: [first!, third!].map(({ id, argumentsSha256 }) => ({ approval: id, argumentsSha256 })),
        },
      ]);
    // The one that is left is a card like any other.
    await tab.page.getByRole('button', { name: 'Approve once' }).waitFor();
    expect(tab.faults).toEqual([]);
  });

  test('one of them is opened alone and answered as any call is', async () => {
    tab = await openTab(ui, burst(3));
    await tab.page.getByRole('button', { name: 'Open call 2 alone' }).click();
    await tab.page.getByText('All 3 calls of this tool').waitFor();
    await armed();
    await approve().click();
    await expect.poll(() => askedFor(tab.core, 'approvalApprove')).toMatchObject([{ approval: 'a2' }]);
    await tab.page.getByRole('table').waitFor();
  });

  test('all are denied at once, and the client is paused', async () => {
    tab = await openTab(ui, burst(3));
    await tab.page.getByRole('checkbox', { name: 'All calls' }).click({ force: true });
    await tab.page.getByRole('button', { name: 'With a reason, or pause…' }).click();
    await tab.page.waitForSelector('button.deny:enabled');
    await tab.page.getByRole('button', { name: 'Deny and pause client' }).click();
    await tab.page.getByText('Nothing waits for you').waitFor();
    expect(askedFor(tab.core, 'approvalsDenyMany')).toEqual([
      { approvals: ['a1', 'a2', 'a3'], reason: '', pause: true },
    ]);
  });

  test('Approve waits until the last call was on the screen, and again when one more comes', async () => {
    tab = await openTab(ui, burst(40));
    await tab.page.getByRole('checkbox', { name: 'All calls' }).click({ force: true });
    await tab.page.waitForTimeout(700);
    const approveThem = tab.page.getByRole('button', { name: 'Approve 40 calls once' });
    expect(await approveThem.isDisabled()).toBe(true);
    await tab.page.evaluate('document.querySelector(".batch-box .end-mark").scrollIntoView()');
    await armed();
    tab.core.state.approvals.push(anApproval({ id: 'late', group: 'g', createdAt: Date.now() + 99 }));
    await tab.page.evaluate('document.querySelector(".batch-box").scrollTop = 0');
    tab.core.tell('approvals');
    await tab.page.getByText('41 calls').waitFor();
    expect(await approveThem.isDisabled()).toBe(true);
  });

  test('texts that are no objects are compared as texts, and nothing of an argument is markup', async () => {
    tab = await openTab(ui, burst(2, { argumentsText: '"<b>x</b>\u202e"' }));
    await tab.page.getByRole('table').waitFor();
    expect(await tab.page.locator('tbody tr').first().innerText()).toContain('<b>x</b>\\u202e');
    expect(await tab.page.locator('tbody b').count()).toBe(0);
  });
});

describe('what is not a person’s answer', () => {
  test('a click in the first 500 ms after a card appears is ignored', async () => {
    tab = await openTab(ui);
    await tab.page.getByText('Nothing waits for you').waitFor();
    tab.core.state.approvals.push(anApproval());
    tab.core.tell('approvals');
    await approve().waitFor();
    const box = (await approve().boundingBox())!;
    for (let i = 0; i < 4; i++) await tab.page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
    expect(askedFor(tab.core, 'approvalApprove')).toEqual([]);
    await armed();
    await approve().click();
    await tab.page.getByText('Nothing waits for you').waitFor();
    expect(askedFor(tab.core, 'approvalApprove')).toHaveLength(1);
  });

  test('a second click of a double click does not approve the card that moved into the place of the first', async () => {
    tab = await openTab(ui, (core) => {
      core.state.approvals.push(anApproval({ id: 'a1' }), anApproval({ id: 'a2' }));
    });
    await armed();
    const first = approve().first();
    const box = (await first.boundingBox())!;
    await tab.page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
    await expect.poll(() => approve().count()).toBe(1);
    await tab.page.evaluate('document.querySelector("main").scrollTop = 0');
    const moved = (await approve().boundingBox())!;
    await tab.page.mouse.click(moved.x + moved.width / 2, moved.y + moved.height / 2);
    expect(askedFor(tab.core, 'approvalApprove')).toMatchObject([{ approval: 'a1' }]);
  });

  test('a press that began before the guard let go does not count when it ends after', async () => {
    tab = await openTab(ui);
    await tab.page.getByText('Nothing waits for you').waitFor();
    tab.core.state.approvals.push(anApproval());
    tab.core.tell('approvals');
    await approve().waitFor();
    const box = (await approve().boundingBox())!;
    await tab.page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await tab.page.mouse.down();
    await armed();
    await tab.page.mouse.up();
    await tab.page.waitForTimeout(100);
    expect(askedFor(tab.core, 'approvalApprove')).toEqual([]);
  });

  test('F10 Enter and Space while a card appears approve nothing, and no answer has the focus', async () => {
    tab = await openTab(ui);
    await tab.page.getByText('Nothing waits for you').waitFor();
    tab.core.state.approvals.push(anApproval());
    tab.core.tell('approvals');
    for (let i = 0; i < 20; i++) {
      await tab.page.keyboard.press(i % 2 === 0 ? 'Enter' : 'Space');
      await tab.page.waitForTimeout(30);
    }
    await armed();
    await tab.page.keyboard.press('Enter');
    await tab.page.keyboard.press('Space');
    const focused = String(await tab.page.evaluate('document.activeElement.className'));
    expect(focused).not.toMatch(/approve|deny/);
    expect(askedFor(tab.core, 'approvalApprove')).toEqual([]);
    expect(askedFor(tab.core, 'approvalDeny')).toEqual([]);
  });

  test('the keyboard can approve when the person walks to the button', async () => {
    tab = await openTab(ui, (core) => core.state.approvals.push(anApproval()));
    await armed();
    await approve().focus();
    await tab.page.keyboard.press('Enter');
    await tab.page.getByText('Nothing waits for you').waitFor();
    expect(askedFor(tab.core, 'approvalApprove')).toHaveLength(1);
  });

  test('F17 click() and dispatched events of a script approve and deny nothing', async () => {
    tab = await openTab(ui, (core) => core.state.approvals.push(anApproval()));
    await armed();
    await tab.page.evaluate(`
      for (const button of document.querySelectorAll('button.approve, button.deny')) {
        button.click();
        button.dispatchEvent(new PointerEvent('pointerdown', { bubbles: true }));
        button.dispatchEvent(new MouseEvent('click', { bubbles: true, detail: 1 }));
        button.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
        button.click();
      }
    `);
    await tab.page.waitForTimeout(200);
    expect(askedFor(tab.core, 'approvalApprove')).toEqual([]);
    expect(askedFor(tab.core, 'approvalDeny')).toEqual([]);
    await approve().click();
    await tab.page.getByText('Nothing waits for you').waitFor();
    expect(askedFor(tab.core, 'approvalApprove')).toHaveLength(1);
  });
});

describe('what is shown is everything', () => {
  test('F1 long arguments are whole in the page, and Approve waits until their end was on the screen', async () => {
    const code = `${'step();\n'.repeat(2500)}rm("-rf /"); // the very last forty characters`;
    const argumentsText = JSON.stringify({ code });
    tab = await openTab(ui, (core) => core.state.approvals.push(anApproval({ argumentsText })));
    await tab.page.waitForSelector('button.deny:enabled');
    await approve().scrollIntoViewIfNeeded();
    await tab.page.waitForTimeout(700);
    expect(await approve().isDisabled()).toBe(true);
    await tab.page.getByText('Scroll to the end of the arguments to approve.').waitFor();
    const shown = (await tab.page.getByLabel('Arguments as a tree').textContent()) ?? '';
    expect(shown).toContain(code.slice(-40));
    expect(shown).not.toContain('…');
    const box = (await tab.page.getByLabel('Arguments as a tree').boundingBox())!;
    await tab.page.mouse.move(box.x + 50, box.y + 50);
    await tab.page.mouse.wheel(0, 200_000);
    await approve().scrollIntoViewIfNeeded();
    await armed();
  });

  test('F3 F5 bidi, invisible and control characters stand as escapes, in logical order', async () => {
    const text = 'file\u202Egpj.exe \u2066a\u2069 \u200b\u061c\u001b[2J\u0000\u009b';
    tab = await openTab(ui, (core) => {
      core.state.approvals.push(
        anApproval({
          argumentsText: JSON.stringify({ name: text }),
          tool: 'read\u202Eelif',
          callsItself: 'Claude\u2028Desktop',
        }),
      );
    });
    const tree = await tab.page.getByLabel('Arguments as a tree').textContent();
    expect(tree).toContain('file\\u202egpj.exe \\u2066a\\u2069 \\u200b\\u061c\\u001b[2J\\u0000\\u009b');
    const whole = (await tab.page.locator('main').textContent()) ?? '';
    expect(whole).toContain('read\\u202eelif');
    expect(whole).toContain('Claude\\u2028Desktop');
    expect(whole).not.toMatch(/[\u202e\u2066\u2069\u200b\u061c\u001b\u2028]/);
    await tab.page.getByText('holds characters that cannot be seen').waitFor();
  });

  test('F7 markup and Markdown are literal text: no element, no request', async () => {
    const markup = '<b>Approved</b><img src=x onerror=alert(1)>[ok](javascript:alert(1))![x](http://evil.test/?d=1)';
    tab = await openTab(ui, (core) => {
      core.state.approvals.push(
        anApproval({
          argumentsText: JSON.stringify({ [markup]: markup }),
          title: markup,
          tool: markup,
          upstream: markup,
          client: markup,
          callsItself: markup,
          reason: markup,
        }),
      );
    });
    await approve().scrollIntoViewIfNeeded();
    await armed();
    expect(await tab.page.locator('article').textContent()).toContain(markup);
    expect(await tab.page.locator('main b, main img, main a').count()).toBe(0);
    expect(tab.foreign).toEqual([]);
    expect(tab.faults).toEqual([]);
  });

  test('F9 F19 the real names come first and largest; what others call themselves is marked as theirs', async () => {
    tab = await openTab(ui, (core) => {
      core.state.approvals.push(
        anApproval({ tool: 'exec', title: 'Read file', callsItself: 'Claude Desktop ✓ verified', callerLeft: true }),
      );
    });
    expect(await tab.page.locator('article h3').textContent()).toBe('files / exec');
    await tab.page.getByText('the server calls it “Read file”').waitFor();
    await tab.page.getByText('calls itself “Claude Desktop ✓ verified”').waitFor();
    await tab.page.getByText('The caller left.').waitFor();
  });

  test('no line of a text can pass for a member of its own', async () => {
    const argumentsText = JSON.stringify({ note: 'hello\nmode: read-only', mode: 'wipe' });
    tab = await openTab(ui, (core) => core.state.approvals.push(anApproval({ argumentsText })));
    const real = (await tab.page.locator('.json-name', { hasText: 'mode' }).boundingBox())!;
    const value = (await tab.page.locator('.json-string', { hasText: 'read-only' }).boundingBox())!;
    expect(value.x).toBeGreaterThan(real.x + 20);
  });

  test('line feeds and spaces at the end of a text are named', async () => {
    const argumentsText = JSON.stringify({ content: 'written\n \n', none: 'written' });
    tab = await openTab(ui, (core) => core.state.approvals.push(anApproval({ argumentsText })));
    expect(await tab.page.locator('.unseen-end').allTextContents()).toEqual(['then 2 line feeds and 1 space']);
  });

  test('a value that looks like a secret is masked until it is asked for; words under such a name are not', async () => {
    const argumentsText = '{"api_key":"sk-1234567890abcdef12","password":"rm -rf /home"}';
    tab = await openTab(ui, (core) => core.state.approvals.push(anApproval({ argumentsText })));
    const tree = tab.page.getByLabel('Arguments as a tree');
    expect(await tree.textContent()).not.toContain('sk-1234567890');
    expect(await tree.textContent()).toContain('rm -rf /home');
    await tab.page.getByText('Exact text').click();
    const exact = tab.page.getByLabel('Arguments as exact text');
    expect(await exact.textContent()).not.toContain('sk-1234567890');
    await tab.page.getByRole('button', { name: 'Reveal' }).click();
    expect(await exact.textContent()).toBe(argumentsText);
  });

  test('arguments that are no JSON, or too many for a tree, are shown as exact text', async () => {
    const many = JSON.stringify(Array.from({ length: 5000 }, (_, index) => index));
    tab = await openTab(ui, (core) => {
      core.state.approvals.push(anApproval({ argumentsText: '{oops' }), anApproval({ id: 'a2', argumentsText: many }));
    });
    expect(await tab.page.getByLabel('Arguments as exact text').allTextContents()).toEqual(['{oops', many]);
  });
});

describe('the queue', () => {
  test('recent decisions and standing approvals are listed', async () => {
    tab = await openTab(ui, (core) => {
      core.state.approvals.push(anApproval({ state: 'denied', denyReason: 'not today', decidedAt: Date.now() }));
      core.state.standing.push(aStanding({ usedCount: 3 }));
    });
    await tab.page.getByText('“not today”').waitFor();
    await tab.page.getByText('used 3×').waitFor();
  });

  test('standing approvals say what they are bound to, are searched, and revoked all of one client', async () => {
    tab = await openTab(ui, (core) => {
      core.state.standing.push(
        aStanding({ tool: 'one', scope: 'values', expiresAt: null, pins: [{ pointer: '/repo', shown: '"gate"' }] }),
        aStanding({ tool: 'two' }),
        aStanding({ tool: 'three', client: 'codex', clientId: 'c2' }),
      );
    });
    await tab.page.getByText('/repo is "gate"').waitFor();
    const rows = tab.page.locator('section', { hasText: 'Standing approvals' }).locator('li');
    expect(await rows.count()).toBe(3);
    await tab.page.getByLabel('Search standing approvals').fill('codex');
    await expect.poll(() => rows.count()).toBe(1);
    await tab.page.getByLabel('Search standing approvals').fill('');
    await tab.page.getByRole('button', { name: 'Revoke all of claude-code' }).click();
    await tab.page.getByText('Revoke all 2 of claude-code?').waitFor();
    await tab.page.getByRole('button', { name: 'Revoke', exact: true }).first().click();
    await expect.poll(() => tab.core.state.standing.map(({ client }) => client)).toEqual(['codex']);
    expect(askedFor(tab.core, 'standingRevokeAll')).toEqual([{ client: 'c1' }]);
  });

  test('cards say their place, and the navigation counts them', async () => {
    tab = await openTab(ui, (core) => {
      core.state.approvals.push(anApproval({ id: 'a1' }), anApproval({ id: 'a2' }), anApproval({ id: 'a3' }));
    });
    await tab.page.getByText('2 of 3').waitFor();
    await tab.page.getByRole('button', { name: 'Approvals 3 waiting' }).waitFor();
    await deny().first().scrollIntoViewIfNeeded();
    expect(await tab.page.title()).toBe('(3) Gatehouse');
  });

  test('a call whose time is over can no longer be approved', async () => {
    tab = await openTab(ui, (core) => core.state.approvals.push(anApproval({ expiresAt: Date.now() + 1500 })));
    await tab.page.getByText('Its time is over.').waitFor();
    expect(await approve().isDisabled()).toBe(true);
  });
});
