import { useRef, useState } from 'react';
import { Button, Label, Text, TextArea, TextField } from 'react-aria-components';
import type { ApprovalView } from '../../shared/model.ts';
import { useAct, useBridge, useNow } from '../live.ts';
import { Problem } from '../parts/notes.tsx';
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
  const [reason, setReason] = useState<string | null>(null);
  const expired = useNow() >= approval.expiresAt;
  const locked = !guard.armed || act.busy || expired;

  const release = (event: React.MouseEvent<HTMLElement>) => {
    if (!guard.accepts(event) || !seen) return;
    void act.run(() => bridge.request('resultRelease', { approval: approval.id, resultSha256 }));
  };
  const withhold = (event: React.MouseEvent<HTMLElement>, pause: boolean) => {
    if (!guard.accepts(event)) return;
    const why = { reason: reason ?? '', ...(pause ? { pause } : {}) };
    void act.run(() => bridge.request('resultWithhold', { approval: approval.id, ...why }));
  };

  return (
    <footer className="answer">
      <span className="quiet" aria-live="polite">
        {expired
          ? 'Its time is over.'
          : seen
            ? 'Nothing runs again, whatever you say.'
            : 'Scroll to its end to release it.'}
      </span>
      {reason !== null && (
        <TextField className="field" value={reason} onChange={setReason} autoFocus maxLength={2000}>
          <Label>What the agent is told</Label>
          <TextArea rows={2} />
          <Text slot="description">Pausing refuses every call of this client until you resume it.</Text>
        </TextField>
      )}
      <div ref={bar} className="answer-bar" {...guard.watch}>
        <button type="button" className="button deny" disabled={locked} onClick={(event) => withhold(event, false)}>
          {reason === null ? 'Withhold' : 'Withhold with this reason'}
        </button>
        {reason !== null && (
          <button type="button" className="button deny" disabled={locked} onClick={(event) => withhold(event, true)}>
            Withhold and pause client
          </button>
        )}
        <Button className="link" onPress={() => setReason(reason === null ? '' : null)}>
          {reason === null ? 'With a reason, or pause…' : 'Back'}
        </Button>
        <span className="grow" />
        {reason === null && (
          <button type="button" className="button approve" disabled={locked || !seen} onClick={release}>
            Release to the agent
          </button>
        )}
      </div>
      <Problem message={act.problem} />
    </footer>
  );
}
