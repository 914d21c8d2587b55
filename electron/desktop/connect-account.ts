import type { RequestArguments, RequestName, RequestResult } from '../../shared/api.ts';
import type { SignInView } from '../../shared/connections.ts';
import type { Topic } from '../../shared/model.ts';
import type { Api } from '../core/api.ts';
import type { Place } from './deep-links.ts';
import type { AccountWanted } from './tray-accounts.ts';

export interface AccountConnector {
  /** Begins a sign-in; the vendor's page opens once its address is known, because the person clicked for just that. */
  connect(wanted: AccountWanted): Promise<void>;
  signOut(connection: string): Promise<void>;
  close(): void;
}

/**
 * Sign-ins that were begun in the tray. It has no place for a question or a trace: whatever needs more than the browser
 * leads to the window, which goes on from there.
 *
 * SECURITY: not as the person, since any program of a Linux session can press the items of a tray menu: what widens access
 * is confirmed in the approval window, and a sign-in ends at the vendor's own page.
 */
export function createAccountConnector(parts: {
  readonly api: Api;
  subscribe(listener: (topic: Topic) => void): () => void;
  open(place: Place): void;
}): AccountConnector {
  const { api, open } = parts;
  /** Whether its page was opened, and where the window shows it, by the id of the sign-in. */
  const followed = new Map<string, { readonly place: Place; isOpened: boolean }>();

  async function ask<N extends RequestName>(name: N, input: RequestArguments<N>): Promise<RequestResult<N> | null> {
    const answer = await api.request(name, input, { origin: 'main-window', label: 'tray' });
    // The API answers a request with the result of that request.
    return answer.kind === 'answered' ? (answer.result as RequestResult<N>) : null;
  }

  async function goOn(id: string): Promise<void> {
    const answer = await ask('signInGet', { signIn: id });
    const follow = followed.get(id);
    if (follow === undefined) return;
    if (answer?.kind !== 'done') {
      followed.delete(id);
      return;
    }
    switch (answer.signIn.state) {
      case 'working':
        return;
      case 'waiting':
        if (!follow.isOpened) {
          follow.isOpened = true;
          await openPage(answer.signIn, follow.place);
        }
        return;
      case 'connected':
      case 'cancelled':
        followed.delete(id);
        return;
      case 'choose_server':
      case 'needs_client_id':
      case 'confirm_scopes':
      case 'failed':
        followed.delete(id);
        open(follow.place);
    }
  }

  async function openPage({ id }: SignInView, place: Place): Promise<void> {
    const answer = await ask('signInOpen', { signIn: id });
    // Without a browser the link is in the window, to be copied.
    if (answer?.kind !== 'done' || !answer.opened) open(place);
  }

  const unsubscribe = parts.subscribe((topic) => {
    if (topic === 'connections') for (const id of followed.keys()) void goOn(id);
  });

  return {
    async connect({ upstream, name, connection }) {
      const place: Place = `upstreams/${name}`;
      const answer = await ask('signInStart', { upstream, ...(connection === null ? {} : { connection }) });
      if (answer?.kind !== 'done') {
        open(place);
        return;
      }
      followed.set(answer.signIn.id, { place, isOpened: false });
      await goOn(answer.signIn.id);
    },
    async signOut(connection) {
      await ask('connectionSignOut', { connection });
    },
    close() {
      followed.clear();
      unsubscribe();
    },
  };
}
