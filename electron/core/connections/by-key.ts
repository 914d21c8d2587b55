import type { KeyPlace, SignIn } from '../../../shared/connections.ts';
import type { Attempt, Ending, Procedure } from './attempt.ts';
import type { SignInFault } from './authorization-server.ts';
import { readChallenge } from './challenge.ts';
import { type Connecting, connect } from './connected.ts';
import { createErrand } from './errand.ts';
import { fault } from './faults.ts';
import { usedAtOf } from './presented.ts';

/** The key is tried before it is kept: one that the server refuses takes no place of one that works. */
export function signInByKey(parts: Connecting): Procedure {
  return async (attempt): Promise<Ending> => {
    const { upstream, secret: key } = attempt;
    const { signIn, transport } = upstream;
    if (signIn.kind !== 'api_key' || key === null) return fault('key_refused', { upstream: upstream.name });
    attempt.trace.hide(key);
    const { place } = signIn;
    const unfit = refuseKey(key, place, upstream.name);
    if (unfit !== null) return unfit;
    if (transport.kind === 'http') {
      const refused = await tried(parts, attempt, new URL(transport.url), place, key);
      if (refused !== null) return refused;
    } else {
      const message = `The process is started anew with it, in ${place.name} of its environment.`;
      attempt.trace.step({ name: 'check', outcome: 'skipped', message });
    }
    return connect(parts, attempt, { kind: 'api_key', usedAt: usedAtOf(transport), place, key });
  };
}

/** A request that does nothing: who wants a key looks at it before anything else. */
async function tried(
  parts: Connecting,
  attempt: Attempt,
  address: URL,
  place: KeyPlace,
  key: string,
): Promise<SignInFault | null> {
  const { upstream, trace, signal } = attempt;
  const url = new URL(address);
  if (place.in === 'query') url.searchParams.set(place.name, key);
  const { outbound } = createErrand(
    parts.outbound,
    { upstream: upstream.name, url: address.href, allowPrivate: upstream.settings.allowPrivate, signal },
    trace,
  );
  const answer = await outbound({
    url: url.href,
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(place.in === 'header' ? { [place.name.toLowerCase()]: `${place.prefix}${key}` } : {}),
    },
    body: PING,
    ignoreBody: true,
  });
  const request = { method: 'POST', url: address.href };
  if (answer.kind === 'fault') {
    trace.step({ name: 'check', outcome: 'failed', message: answer.message, request });
    return answer;
  }
  const { status } = answer;
  if (status !== 401 && status !== 403) {
    const message = 'It does not refuse the key.';
    trace.step({ name: 'check', outcome: 'ok', message, request, status });
    return null;
  }
  const said = readChallenge(answer.challenge)?.errorDescription ?? null;
  const refused = fault('key_refused', { upstream: upstream.name, said });
  trace.step({ name: 'check', outcome: 'failed', message: refused.message, request, status });
  return refused;
}

/** What no header and no environment can hold is most often a line that was pasted with it. */
function refuseKey(key: string, place: Extract<SignIn, { kind: 'api_key' }>['place'], upstream: string) {
  const fits = place.in === 'header' ? /^[\t\x20-\x7e\x80-\xff]+$/.test(key) : !key.includes('\0');
  const detail = 'What was pasted holds characters that it cannot hold: paste the key alone.';
  return fits ? null : fault('key_refused', { upstream, detail });
}

const PING = '{"jsonrpc":"2.0","id":0,"method":"ping"}';
