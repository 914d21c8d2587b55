import { useRef } from 'react';
import type { RequestInput } from '../../shared/api.ts';
import { type Act, useAct, useBridge } from '../live.ts';

/** What a click asks to be signed in: a new account, or again one that there is. */
export type Wanted = Omit<RequestInput<'signInStart'>, 'upstream'>;

/** Starts sign-ins of one upstream, and knows which of them go on by a click in this window. */
export interface Starting {
  readonly act: Act;
  start(wanted: Wanted): Promise<boolean>;
  /** The person answered a question of this sign-in here: what follows is by that click. */
  clicked(signIn: string): void;
  /** Whether the browser may be opened for it without another click; true once for each click. */
  takeClick(signIn: string): boolean;
}

export function useStarting(upstreamId: string): Starting {
  const bridge = useBridge();
  const act = useAct();
  const clicks = useRef(new Set<string>());
  return {
    act,
    start: (wanted) =>
      act.run(async () => {
        const answer = await bridge.request('signInStart', { upstream: upstreamId, ...wanted });
        if (answer.kind === 'done') clicks.current.add(answer.signIn.id);
        return answer;
      }),
    clicked: (signIn) => void clicks.current.add(signIn),
    takeClick: (signIn) => clicks.current.delete(signIn),
  };
}
