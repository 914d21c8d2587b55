import { useRef, useState } from 'react';
import type { ConfirmationView } from '../../shared/model.ts';
import { useAct, useBridge, useNow } from '../live.ts';
import { Problem } from '../parts/notes.tsx';
import { useGuard } from './guard.ts';
import { Seen } from './seen.tsx';
import { TimeLeft } from './time-left.tsx';
import { Visible } from './visible.tsx';
import { Words } from './words.tsx';

const KINDS: Readonly<Record<ConfirmationView['kind'], string>> = {
  upstream: 'Upstream',
  review: 'Tool review',
  policy: 'Policy',
  key: 'Key',
  client: 'Client',
  client_sign_in: 'Sign-in of a program',
  standing_approval: 'Standing approval',
  resume: 'resume',
  trust: 'trust',
  dashboard: 'Dashboard link',
  sink: 'Audit sink',
  secrets: 'Secrets',
  audit: 'Audit',
};

interface Shown {
  readonly confirmation: ConfirmationView;
  readonly queue: string;
}

/** An administrative act that widens access, line by line as it would be done, and its two answers. */
export function ConfirmationCard({ confirmation, queue }: Shown) {
  const bridge = useBridge();
  const bar = useRef<HTMLDivElement>(null);
  const guard = useGuard(bar);
  const act = useAct();
  const [seen, setSeen] = useState(false);
  const expired = useNow() >= confirmation.expiresAt;
  const locked = !guard.armed || act.busy || expired;
  const answer = (event: React.MouseEvent<HTMLElement>, given: 'confirm' | 'refuse') => {
    if (!guard.accepts(event) || (given === 'confirm' && !seen)) return;
    void act.run(() => bridge.request('confirmationAnswer', { confirmation: confirmation.id, answer: given }));
  };
  return (
    <article className="card call risk-edge-write" aria-label={confirmation.title}>
      <header className="call-head">
        <div>
          <h3 className="call-name">
            <Visible text={confirmation.title} />
          </h3>
          <p className="quiet">
            asked for by <Visible text={confirmation.requestedBy} />
          </p>
        </div>
        <span className="badge">{KINDS[confirmation.kind]}</span>
        <span className="grow" />
        <TimeLeft from={confirmation.createdAt} until={confirmation.expiresAt} queue={queue} />
      </header>
      <dl className="facts lines">
        {confirmation.lines.map((line, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the lines of one confirmation never move.
          <div key={index}>
            <dt>
              <Visible text={line.label} />
            </dt>
            <dd>
              <pre className="exact">
                {line.before === undefined ? (
                  <Visible text={line.value} />
                ) : (
                  <Words before={line.before} after={line.value} />
                )}
              </pre>
            </dd>
          </div>
        ))}
        <Seen onSeen={() => setSeen(true)} />
      </dl>
      <footer className="answer">
        <div ref={bar} className="answer-bar" {...guard.watch}>
          <button type="button" className="button deny" disabled={locked} onClick={(event) => answer(event, 'refuse')}>
            Refuse
          </button>
          <span className="grow" />
          <span className="quiet" aria-live="polite">
            {!seen && 'Scroll to the end to confirm.'}
          </span>
          <button
            type="button"
            className="button approve"
            disabled={locked || !seen}
            onClick={(event) => answer(event, 'confirm')}
          >
            Confirm
          </button>
        </div>
        <Problem message={act.problem} />
      </footer>
    </article>
  );
}
