import { setTimeout as pause } from 'node:timers/promises';
import type { RequestInput, RequestName, RequestResult } from '../../shared/api.ts';
import type { SignInView } from '../../shared/connections.ts';

/** Makes requests as a person does, whatever the way: in this process, or over the control socket. */
export type Ask = <N extends RequestName>(name: N, input: RequestInput<N>) => Promise<RequestResult<N>>;

/** What a person does when Gatehouse asks something on the way. */
export interface Signer {
  /** Opens the link, as a browser does, until nothing more comes. */
  follow(link: string): Promise<unknown>;
  /** Which of several authorization servers; the first one when left out. */
  readonly choose?: (servers: readonly string[]) => string;
  /** What to paste when the vendor gives no client id by itself; without it the sign-in stays there. */
  readonly client?: { readonly clientId: string; readonly clientSecret?: string | null };
  /** Shown what will be asked for; default yes. */
  readonly confirm?: (asked: SignInView) => boolean;
}

/** One sign-in from the click to its end, or to the question that the person has no answer to. */
export async function signIn(ask: Ask, wanted: RequestInput<'signInStart'>, person: Signer): Promise<SignInView> {
  const started = await ask('signInStart', wanted);
  if (started.kind === 'refused') throw new Error(started.message);
  let view = started.signIn;
  let followed = false;
  for (let tries = 0; tries < TRIES; tries += 1) {
    const { id: signIn } = view;
    switch (view.state) {
      case 'connected':
      case 'failed':
      case 'cancelled':
        return view;
      case 'choose_server':
        view = taken(
          await ask('signInChoose', { signIn, issuer: person.choose?.(view.servers) ?? view.servers[0] ?? '' }),
        );
        continue;
      case 'needs_client_id':
        if (person.client === undefined) return view;
        view = taken(await ask('signInClient', { signIn, ...person.client }));
        continue;
      case 'confirm_scopes':
        if (person.confirm?.(view) === false) {
          await ask('signInCancel', { signIn });
          break;
        }
        view = taken(await ask('signInConfirm', { signIn }));
        continue;
      case 'waiting':
        if (!followed && view.link !== null) {
          followed = true;
          await person.follow(view.link);
        }
        break;
      case 'working':
        break;
    }
    await pause(PAUSE_MS);
    view = taken(await ask('signInGet', { signIn }));
  }
  throw new Error(`the sign-in stays ${view.state}: ${JSON.stringify(view.steps.at(-1))}`);
}

const TRIES = 500;
const PAUSE_MS = 20;

function taken(answer: RequestResult<'signInGet'>): SignInView {
  if (answer.kind === 'refused') throw new Error(answer.message);
  return answer.signIn;
}
