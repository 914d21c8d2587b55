import { Button } from 'react-aria-components';
import type { SignInState, SignInView } from '../../shared/connections.ts';
import type { UpstreamView } from '../../shared/model.ts';
import { Visible } from '../card/visible.tsx';
import { useAct, useBridge, useNow } from '../live.ts';
import { Problem } from '../parts/notes.tsx';
import { timeLeft } from '../parts/time.ts';
import { NextStepAct } from './next-step.tsx';
import { ChooseServer, ConfirmScopes, GiveClientId } from './questions.tsx';
import type { Starting } from './starting.ts';
import { Trace, TraceDisclosure } from './trace.tsx';
import { WaitingForBrowser } from './waiting.tsx';

export interface Following {
  readonly signIn: SignInView;
  readonly upstream: UpstreamView;
  readonly starting: Starting;
  /** Opens the form for how accounts sign in, with classic OAuth chosen. */
  onClassicOauth(): void;
  /** Opens the form for an API key. */
  onKey(): void;
  onDismiss(): void;
}

const HEADS: Readonly<Record<SignInState, readonly [colour: string, words: string]>> = {
  working: ['starting', 'working'],
  choose_server: ['wanting', 'your choice'],
  needs_client_id: ['wanting', 'needs a client id'],
  confirm_scopes: ['wanting', 'asks for more than before'],
  waiting: ['starting', 'waits for you in the browser'],
  connected: ['ready', 'connected'],
  failed: ['failed', 'failed'],
  cancelled: ['stopped', 'cancelled'],
};

/** One sign-in while it goes on, and how it ended. */
export function SignInPanel(following: Following) {
  const { signIn } = following;
  const [colour, words] = HEADS[signIn.state];
  const isOver = signIn.state === 'connected' || signIn.state === 'failed' || signIn.state === 'cancelled';
  return (
    <section className={`sign-in sign-in-${signIn.state}`} aria-label={`Sign-in of ${signIn.label}`}>
      <header className="sign-in-head">
        <h4>
          {isOver ? 'Sign-in' : 'Signing in'} to <Visible text={signIn.upstream} /> as “<Visible text={signIn.label} />”
        </h4>
        <span className={`status status-${colour}`} role="status">
          <span className="dot" aria-hidden="true" />
          {words}
        </span>
        <span className="grow" />
        {isOver ? (
          <Button className="button small" onPress={following.onDismiss}>
            {signIn.state === 'connected' ? 'Done' : 'Dismiss'}
          </Button>
        ) : (
          <CancelSignIn signIn={signIn} />
        )}
      </header>
      <SignInBody {...following} />
    </section>
  );
}

function SignInBody(following: Following) {
  const { signIn, starting } = following;
  const trace = { steps: signIn.steps, startedAt: signIn.startedAt };
  const onAnswered = () => starting.clicked(signIn.id);
  switch (signIn.state) {
    case 'working':
      return <Trace {...trace} />;
    case 'choose_server':
      return (
        <>
          <ChooseServer signIn={signIn} onAnswered={onAnswered} />
          <TraceDisclosure label="Trace so far" {...trace} />
        </>
      );
    case 'needs_client_id':
      return (
        <>
          <GiveClientId signIn={signIn} onAnswered={onAnswered} onClassicOauth={following.onClassicOauth} />
          <TraceDisclosure label="Trace so far" isOpen {...trace} />
        </>
      );
    case 'confirm_scopes':
      return (
        <>
          <ConfirmScopes signIn={signIn} onAnswered={onAnswered} />
          <TraceDisclosure label="Trace so far" {...trace} />
        </>
      );
    case 'waiting':
      return (
        <>
          <WaitingForBrowser signIn={signIn} starting={starting} />
          <TraceDisclosure label="Trace so far" {...trace} />
        </>
      );
    case 'connected':
      return (
        <>
          <p className="sign-in-done" role="status">
            <strong>
              “<Visible text={signIn.label} />” is connected.
            </strong>{' '}
            Agents reach its tools within a second, those that you have reviewed.
          </p>
          <TraceDisclosure label="Trace" {...trace} />
        </>
      );
    case 'failed':
      return (
        <>
          <div className="sign-in-fault" role="alert">
            {signIn.code !== null && <code className="fault-code">{signIn.code}</code>}
            <p>
              <Visible text={signIn.message ?? 'It failed, and no reason is known.'} />
            </p>
          </div>
          <NextStepAct {...following} />
          <Trace {...trace} />
        </>
      );
    case 'cancelled':
      return <TraceDisclosure label="Trace" {...trace} />;
  }
}

function CancelSignIn({ signIn }: { readonly signIn: SignInView }) {
  const bridge = useBridge();
  const act = useAct();
  const now = useNow();
  return (
    <>
      <Problem message={act.problem} />
      <span className="countdown quiet" role="timer">
        {timeLeft(signIn.endsAt - now)} left
      </span>
      <Button
        className="button small"
        isDisabled={act.busy}
        onPress={() => void act.run(() => bridge.request('signInCancel', { signIn: signIn.id }))}
      >
        Cancel
      </Button>
    </>
  );
}
