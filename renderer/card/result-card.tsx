import { useRef, useState } from 'react';
import { Button } from 'react-aria-components';
import type { ApprovalView } from '../../shared/model.ts';
import { useAct, useBridge, useNow } from '../live.ts';
import { Problem } from '../parts/notes.tsx';
import { AnswerBar } from './answer-bar.tsx';
import { CallHead } from './approval-card.tsx';
import { Arguments } from './arguments.tsx';
import { Facts } from './facts.tsx';
import { useGuard } from './guard.ts';

interface Shown {
  readonly approval: ApprovalView;
  readonly held: NonNullable<ApprovalView['held']>;
  readonly queue: string;
}

/** A call that has run, with the result that a rule holds until the person has looked at it. */
export function ResultCard({ approval, held, queue }: Shown) {
  const [seen, setSeen] = useState(false);
  const [asked, setAsked] = useState(false);
  return (
    <article
      className={`card call risk-edge-${approval.risk}`}
      aria-label={`Result of ${approval.upstream} ${approval.tool}`}
    >
      <CallHead approval={approval} expiresAt={approval.expiresAt} queue={queue}>
        <span className="badge">result</span>
      </CallHead>
      <p className="note">
        This call has run. The agent gets its result when you release it
        {approval.callerLeft ? ' and it asks again; it has left.' : '.'}
      </p>
      <Facts calls={[approval]} />
      <Arguments title="Result" text={held.resultText} onSeen={() => setSeen(true)} />
      {asked ? (
        <Arguments title="Arguments it ran with" text={approval.argumentsText} onSeen={() => {}} />
      ) : (
        <p>
          <Button className="link" onPress={() => setAsked(true)}>
            Show the arguments it ran with
          </Button>
        </p>
      )}
      <ResultAnswer approval={approval} resultSha256={held.resultSha256} seen={seen} />
    </article>
  );
}

interface Asked {
  readonly approval: ApprovalView;
  readonly resultSha256: string;
  readonly seen: boolean;
}

function ResultAnswer({ approval, resultSha256, seen }: Asked) {
  const bridge = useBridge();
  const bar = useRef<HTMLDivElement>(null);
  const guard = useGuard(bar);
  const act = useAct();
  const expired = useNow() >= approval.expiresAt;
  const locked = !guard.armed || act.busy || expired;

  return (
    <footer className="answer">
      <span className="quiet" aria-live="polite">
        {expired
          ? 'Its time is over.'
          : seen
            ? 'Nothing runs again, whatever you say.'
            : 'Scroll to its end to release it.'}
      </span>
      <AnswerBar
        bar={bar}
        guard={guard}
        isLocked={locked}
        no={{
          label: 'Withhold',
          withReason: 'Withhold with this reason',
          andPause: 'Withhold and pause client',
          say: (why) => void act.run(() => bridge.request('resultWithhold', { approval: approval.id, ...why })),
        }}
        yes={{
          label: 'Release to the agent',
          isReady: seen,
          say: () => void act.run(() => bridge.request('resultRelease', { approval: approval.id, resultSha256 })),
        }}
      />
      <Problem message={act.problem} />
    </footer>
  );
}
