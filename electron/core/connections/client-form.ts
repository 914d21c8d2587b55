import type { ClientRegistration, SignInFault } from './authorization-server.ts';
import type { Errand } from './errand.ts';
import type { OutboundAnswer } from './outbound.ts';

/** Null: not sent. */
export type Form = Readonly<Record<string, string | null>>;

/**
 * A form to an endpoint of the authorization server, by the client as it proves itself there (RFC 6749, 2.3.1, with the
 * encoding of HTTP Basic that it asks for and the SDK leaves out).
 */
export function postAsClient(
  errand: Errand,
  url: string,
  { clientId, clientSecret, tokenAuth }: Pick<ClientRegistration, 'clientId' | 'clientSecret' | 'tokenAuth'>,
  form: Form,
): Promise<OutboundAnswer | SignInFault> {
  const body = new URLSearchParams();
  for (const [name, value] of Object.entries(form)) if (value !== null) body.set(name, value);
  const headers: Record<string, string> = { 'content-type': 'application/x-www-form-urlencoded' };
  if (tokenAuth === 'basic' && clientSecret !== null) {
    const pair = `${formEncoded(clientId)}:${formEncoded(clientSecret)}`;
    headers.authorization = `Basic ${Buffer.from(pair).toString('base64')}`;
  } else {
    body.set('client_id', clientId);
    if (tokenAuth === 'post' && clientSecret !== null) body.set('client_secret', clientSecret);
  }
  return errand.outbound({ url, method: 'POST', headers, body: body.toString() });
}

function formEncoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1);
}
