import type { Handlers } from '../api.ts';
import type { Audit } from '../audit/audit.ts';
import type { Connections } from '../connections/connections.ts';
import type { Seals } from '../seals/seals.ts';
import type { Vault } from '../secrets/vault.ts';
import type { Sinks } from '../sinks/sinks.ts';
import type { Upstreams } from '../upstreams/upstreams.ts';
import type { Widening } from './widening.ts';

/** Beginning anew after the key of the vault was lost: what it sealed is gone for good, so the person is asked first. */
export function secretRequests(parts: {
  readonly vault: Pick<Vault, 'state' | 'places' | 'beginAnew'>;
  readonly seals: Pick<Seals, 'beginAnew'>;
  readonly audit: Pick<Audit, 'writeSoon'>;
  readonly widening: Widening;
  readonly nameOf: (place: string) => string;
  /** What was sealed cannot be read any more, and what is missing can be entered again. */
  begun(): void;
}): Pick<Handlers, 'secretsBeginAnew'> {
  const { vault, seals, audit, widening, nameOf } = parts;
  return {
    async secretsBeginAnew(_input, caller) {
      const state = await vault.state();
      if (state.kind !== 'lost') return { kind: 'refused', message: NOT_LOST };
      const lost = vault.places().map(nameOf);
      const refusal = await widening(
        {
          kind: 'secrets',
          title: 'Begin with a new key for secrets',
          lines: [
            { label: 'Why', value: state.reason },
            ...lost.map((name) => ({ label: 'Lost for good', value: name })),
          ],
        },
        caller,
      );
      if (refusal !== null) return refusal;
      await seals.beginAnew();
      const begun = await vault.beginAnew();
      if (begun.kind !== 'ready') return { kind: 'refused', message: begun.reason };
      audit.writeSoon({
        phase: 'event',
        kind: 'secrets_begun_anew',
        outcome: 'done',
        detail: { lost, by: caller.label },
      });
      parts.begun();
      return { kind: 'done', lost };
    },
  };
}

const NOT_LOST = 'The key of the stored secrets is not lost, so nothing was changed.';

/** Places in the vault, in the words of the screens. */
export function secretNames(parts: {
  readonly upstreams: Pick<Upstreams, 'get'>;
  readonly connections: Pick<Connections, 'get'>;
  readonly sinks: Pick<Sinks, 'known'>;
}): (place: string) => string {
  const { upstreams, connections, sinks } = parts;
  return (place) =>
    secretName(place, (noun, id) => {
      if (noun === 'upstream') return upstreams.get(id)?.name ?? null;
      const account = noun === 'connection' ? connections.get(id) : null;
      if (account !== null) return `"${account.label}" at ${account.upstream}`;
      if (noun === 'sink') return sinks.known().find((sink) => sink.id === id)?.name ?? null;
      return null;
    });
}

function secretName(place: string, names: (noun: string, id: string) => string | null): string {
  const [noun = '', id = '', kind = '', ...rest] = place.split('/');
  const owner = names(noun, id);
  const of = owner === null ? '' : ` of ${owner}`;
  switch (noun) {
    case 'upstream':
      if (kind === 'client_secret') return `the client secret${of}`;
      if (kind === 'client_secret_issuer') return `which server the client secret${of} is for`;
      if (kind === 'registration') return `what the vendor${of} knows Gatehouse by`;
      return `${rest.join('/')}${of}`;
    case 'connection':
      return owner === null ? 'the sign-in of an account' : `the sign-in of the account ${owner}`;
    case 'sink':
      return `what the audit sink${owner === null ? '' : ` ${owner}`} signs in with`;
    default:
      return 'the key that signs what programs sign in with: they sign in again';
  }
}
