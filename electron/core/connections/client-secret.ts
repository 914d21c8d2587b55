import type { UpstreamView } from '../../../shared/model.ts';
import type { Vault } from '../secrets/vault.ts';
import { clientSecretIssuerPlace, clientSecretPlace } from '../upstreams/sign-in.ts';
import type { SignInFault } from './authorization-server.ts';
import { fault } from './faults.ts';

export type SecretRead = { readonly kind: 'secret'; readonly value: string | null } | SignInFault;

/**
 * The secret of the client that the person registered, for this authorization server and no other: an upstream that names
 * another one tomorrow is not to be sent it. Which one it is for is kept beside it at its first use.
 */
export async function readClientSecret(
  vault: Pick<Vault, 'get' | 'put'>,
  { id, name, signIn }: Pick<UpstreamView, 'id' | 'name' | 'signIn'>,
  issuer: string,
): Promise<SecretRead> {
  if (!('clientSecret' in signIn) || !signIn.clientSecret) return { kind: 'secret', value: null };
  const unread = (detail: string) => fault('secret_unavailable', { upstream: name, detail });
  const secret = await vault.get(clientSecretPlace(id));
  if (secret.kind === 'unavailable') return unread(secret.reason);
  if (secret.kind === 'missing') return unread('The client secret is gone: enter it again.');
  const bound = await vault.get(clientSecretIssuerPlace(id));
  if (bound.kind === 'unavailable') return unread(bound.reason);
  if (bound.kind === 'missing') {
    const written = await vault.put(clientSecretIssuerPlace(id), issuer);
    return written.kind === 'unavailable' ? unread(written.reason) : { kind: 'secret', value: secret.value };
  }
  if (bound.value === issuer) return { kind: 'secret', value: secret.value };
  return {
    ...fault('issuer_mismatch', { upstream: name, where: issuer }),
    message: `${name} now wants a sign-in at ${issuer}. The client secret was given for ${bound.value}, and was not sent.`,
    next: {
      act: 'paste_client_id',
      text: `If the vendor moved to ${issuer}, enter the client id and secret that it gave you there.`,
    },
  };
}
