import { randomBytes } from 'node:crypto';
import { PAGE_HEADERS } from './responses.ts';

/** A page, and the headers that let its own script and style run and nothing else. */
export interface InertPage {
  readonly html: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * What the browser shows while the person is asked in Gatehouse. It knows nothing: not who asks, nor for what. It waits
 * for the answer and goes on; without scripts it looks again by itself.
 */
export function waitingPage(): InertPage {
  return page(
    'Waiting for your answer',
    `<h1>Gatehouse is asking you</h1>
<p>A program wants to connect. Look for the question in Gatehouse: in its approval window, or in the dashboard.</p>
<p class="quiet">This page goes on by itself once you have answered. Nothing can be allowed here.</p>
<noscript><meta http-equiv="refresh" content="2"></noscript>
<script src="/oauth/waiting.js"></script>`,
  );
}

/** The script of that page: asks whether the person has answered, and then loads the page again, which leads on. */
export const WAITING_SCRIPT = `(async () => {
  const here = location.pathname;
  for (;;) {
    const state = await fetch(here + '/answer')
      .then(async (answer) => (await answer.json()).state)
      .catch(() => 'unreachable');
    if (state === 'over') return location.replace(here);
    if (state === 'unreachable') await new Promise((go) => setTimeout(go, 2000));
  }
})();
`;

/** A sign-in that cannot go on, and that no program may be told of: one sentence of ours. */
export function stoppedPage(message: string): InertPage {
  return page(
    'Not connected',
    `<h1>Not connected</h1><p>${escaped(message)}</p><p class="quiet">You can close this page.</p>`,
  );
}

function page(title: string, body: string): InertPage {
  const nonce = randomBytes(16).toString('base64url');
  const policy = PAGE_HEADERS['content-security-policy'] ?? '';
  return {
    html: `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Gatehouse: ${title}</title><link rel="icon" href="data:,"><style nonce="${nonce}">${STYLE}</style></head><body><main>${body}</main></body></html>\n`,
    headers: { 'content-security-policy': policy.replace("style-src 'self'", `style-src 'self' 'nonce-${nonce}'`) },
  };
}

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:32rem;padding:0 1.5rem;color-scheme:light dark}h1{font-size:1.4rem}.quiet{opacity:.7}';

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
