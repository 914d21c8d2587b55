import type { SignInFault } from './authorization-server.ts';
import type { Authorization } from './authorize.ts';
import type { Errand } from './errand.ts';
import { fault } from './faults.ts';
import { errorOf } from './oauth-answer.ts';
import type { OutboundAnswer } from './outbound.ts';

/**
 * Whether the page that is about to be opened is one of refusal. Where the redirect or the client is not the registered one,
 * a vendor tells whoever looks at the browser and nobody else (RFC 6749, 4.1.2.1), so the sign-in would wait for a return
 * that never comes. Asked once, without cookies; null: nothing speaks against opening it. What is not clear is left to the
 * browser: a login, a check for robots, a network that only the browser is in.
 */
export async function refusedPage(errand: Errand, { url, expected }: Authorization): Promise<SignInFault | null> {
  const answer = await errand.outbound({ url, method: 'GET', headers: { accept: 'text/html' }, stay: true });
  if (answer.kind === 'fault') return null;
  const refusal = refusalOf(answer);
  if (refusal === null) return null;
  const said = errorOf(answer)?.words ?? null;
  const found = fault(refusal, { upstream: errand.upstream, where: expected.host, said });
  const request = { method: 'GET', url };
  errand.trace.step({ name: 'authorize', outcome: 'failed', message: found.message, request, status: answer.status });
  return found;
}

function refusalOf(answer: OutboundAnswer): 'redirect_rejected' | 'client_refused' | null {
  const said = errorOf(answer);
  const isJson = /[/+]json\b/.test(answer.contentType);
  if (isJson ? said === null || answer.status >= 500 : !PAGES.has(answer.status)) return null;
  // Pages quote the address that was asked for, and our own words in it say nothing.
  const text = isJson ? (said?.words ?? '') : answer.text.replaceAll(/redirect_uri(=|%3D|\\u003d|&#61;|&#x3d;)/gi, '');
  if (/redirect[_ -]?ur[il]|callback[_ -]?ur[il]/i.test(text)) return 'redirect_rejected';
  return /\b(invalid|unknown|unauthorized)[_ ]client\b|\bclient (is )?(invalid|unknown|not found)\b/i.test(text)
    ? 'client_refused'
    : null;
}

/** With others (403, 429, 503) vendors also turn away whatever is no browser. */
const PAGES = new Set([400, 401, 404, 422]);
