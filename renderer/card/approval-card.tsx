import { useState } from 'react';
import { Button } from 'react-aria-components';
import type { ApprovalView } from '../../shared/model.ts';
import { RiskBadge } from '../parts/badges.tsx';
import { Answer } from './answer.tsx';
import { Arguments } from './arguments.tsx';
import { Called } from './called.tsx';
import { Edit } from './edit.tsx';
import { Facts } from './facts.tsx';
import { SinceLast } from './since-last.tsx';
import { TimeLeft } from './time-left.tsx';
import { Visible } from './visible.tsx';

interface Shown {
  readonly approval: ApprovalView;
  readonly queue: string;
}

/** One waiting call with everything it would do, and the only buttons that answer it. */
export function ApprovalCard({ approval, queue }: Shown) {
  const [seen, setSeen] = useState(false);
  const [edited, setEdited] = useState<string | null>(null);
  return (
    <article className={`card call risk-edge-${approval.risk}`} aria-label={`${approval.upstream} ${approval.tool}`}>
      <CallHead approval={approval} expiresAt={approval.expiresAt} queue={queue} />
      {approval.callerLeft && (
        <p className="note">
          The caller left. A yes waits ten minutes for it to ask again, and runs nothing by itself.
        </p>
      )}
      <Facts calls={[approval]} />
      {edited === null ? (
        <Arguments
          text={approval.argumentsText}
          onSeen={() => setSeen(true)}
          action={
            approval.editable ? (
              <Button className="link" isDisabled={!seen} onPress={() => setEdited(approval.argumentsText)}>
                Edit…
              </Button>
            ) : null
          }
        />
      ) : (
        <Edit asked={approval.argumentsText} text={edited} onChange={setEdited} onBack={() => setEdited(null)} />
      )}
      {edited === null && <SinceLast approval={approval} />}
      <Answer approval={approval} seen={seen} edited={edited} />
    </article>
  );
}

/** The real names first and largest, then what the server calls itself, marked as its words. */
export function CallHead(props: {
  readonly approval: ApprovalView;
  readonly expiresAt: number;
  readonly queue: string;
  readonly children?: React.ReactNode;
}) {
  const { approval, expiresAt, queue, children } = props;
  return (
    <header className="call-head">
      <div>
        <h3 className="call-name">
          <Called of={approval} />
        </h3>
        {approval.title !== null && (
          <p className="quiet">
            the server calls it “<Visible text={approval.title} />”
          </p>
        )}
      </div>
      <RiskBadge risk={approval.risk} />
      {children}
      <span className="grow" />
      <TimeLeft from={approval.createdAt} until={expiresAt} queue={queue} />
    </header>
  );
}
