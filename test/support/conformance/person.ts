import { z } from 'zod';
import { connectControl } from '../../../electron/core/control/client.ts';
import type { RequestInput, RequestName, RequestResult } from '../../../shared/api.ts';
import type { SignInCode } from '../../../shared/connections.ts';
import { signIn } from '../sign-in.ts';
import { followAsBrowser } from '../vendors/browser.ts';
import type { Seen } from './scenarios.ts';

/** Who signs in at the runner's mock: through Gatehouse's own requests, and with a browser that goes where it is sent. */
export interface Person extends AsyncDisposable {
  /** One sign-in, of the account there is or of a new one. False when it was not to be, or is one too many. */
  signsIn(upstream: string): Promise<boolean>;
  /** Why the latest sign-in failed; `not_asked_again`: it worked, wants more, and Gatehouse does not ask for that. */
  lastCode(): SignInCode | 'not_asked_again' | null;
}

const registered = z.object({ client_id: z.string(), client_secret: z.string().optional() });

export async function createPerson({
  data,
  context,
  seen,
}: {
  readonly data: string;
  readonly context: unknown;
  readonly seen: Seen;
}): Promise<Person> {
  const control = await connectControl(data);
  if (control === null) throw new Error('Gatehouse does not run.');
  const given = registered.safeParse(context);
  let lastCode: SignInCode | 'not_asked_again' | null = null;

  async function ask<N extends RequestName>(name: N, input: RequestInput<N>): Promise<RequestResult<N>> {
    const answer = await control?.request(name, input);
    if (answer?.kind !== 'answered') throw new Error(`${name}: ${answer?.message}`);
    return answer.result;
  }

  return {
    async signsIn(upstream) {
      const [known] = await ask('connectionsList', { upstream });
      if (known?.state === 'more_scopes' && known.asksFor === null) {
        lastCode = 'not_asked_again';
        seen(`no sign-in: ${known.reason}`);
        return false;
      }
      const account = known === undefined ? { label: 'conformance' } : { connection: known.id };
      const ended = await signIn(
        ask,
        { upstream, ...account },
        {
          follow: (link) => followAsBrowser(link),
          ...(given.success
            ? { client: { clientId: given.data.client_id, clientSecret: given.data.client_secret ?? null } }
            : {}),
        },
      );
      lastCode = ended.code;
      seen(`sign-in: ${ended.state}${ended.code === null ? '' : ` (${ended.code}) ${ended.message}`}`);
      return ended.state === 'connected';
    },
    lastCode: () => lastCode,
    async [Symbol.asyncDispose]() {
      control.close();
    },
  };
}
