import { useRef, useState } from 'react';
import { Button, Label, Radio, RadioGroup, TextArea, TextField } from 'react-aria-components';
import type { ApprovalView, StandingScope } from '../../shared/model.ts';
import { useAct, useBridge, useNow } from '../live.ts';
import { RiskBadge } from '../parts/badges.tsx';
import { Problem } from '../parts/notes.tsx';
import { Arguments } from './arguments.tsx';
import { useGuard } from './guard.ts';
import { TimeLeft } from './time-left.tsx';
import { Visible } from './visible.tsx';

const SCOPES: readonly { readonly scope: StandingScope; readonly label: string; readonly approve: string }[] = [
  { scope: 'once', label: 'Only this call', approve: 'Approve once' },
  { scope: 'session', label: 'This session', approve: 'Approve for this session' },
  { scope: 'minutes15', label: '15 minutes', approve: 'Approve for 15 minutes' },
  { scope: 'tool', label: 'This tool, always', approve: 'Approve this tool always' },
];

/** One waiting call with everything it would do, and the only buttons that answer it. */
export function ApprovalCard({ approval, queue }: { readonly approval: ApprovalView; readonly queue: string }) {
  const [seen, setSeen] = useState(false);
  return (
    <article className={`card call risk-edge-${approval.risk}`} aria-label={`${approval.upstream} ${approval.tool}`}>
      <header className="call-head">
        <div>
          <h3 className="call-name">
            <Visible text={approval.upstream} />
            <span className="call-slash"> / </span>
            <Visible text={approval.tool} />
          </h3>
          {approval.title !== null && (
            <p className="quiet">
              the server calls it “<Visible text={approval.title} />”
            </p>
          )}
        </div>
        <RiskBadge risk={approval.risk} />
        <span className="grow" />
        <TimeLeft from={approval.createdAt} until={approval.expiresAt} queue={queue} />
      </header>
      {approval.callerLeft && (
        <p className="note">
          The caller left. A yes waits ten minutes for it to ask again, and runs nothing by itself.
        </p>
      )}
      <Facts approval={approval} />
      <Arguments text={approval.argumentsText} onSeen={() => setSeen(true)} />
      <Answer approval={approval} seen={seen} />
    </article>
  );
}

function Facts({ approval }: { readonly approval: ApprovalView }) {
  return (
    <dl className="facts">
      <dt>Client</dt>
      <dd>
        <strong>
          <Visible text={approval.client} />
        </strong>
        {approval.callsItself !== null && (
          <span className="quiet">
            {' '}
            calls itself “<Visible text={approval.callsItself} />”
          </span>
        )}
      </dd>
      {approval.connection !== null && (
        <>
          <dt>Account</dt>
          <dd>
            <Visible text={approval.connection} />
          </dd>
        </>
      )}
      <dt>Why</dt>
      <dd>
        {approval.rule !== null && (
          <>
            rule{' '}
            <code>
              <Visible text={approval.rule} />
            </code>
            {' · '}
          </>
        )}
        <Visible text={approval.reason} />
      </dd>
    </dl>
  );
}

function Answer({ approval, seen }: { readonly approval: ApprovalView; readonly seen: boolean }) {
  const bridge = useBridge();
  const bar = useRef<HTMLDivElement>(null);
  const guard = useGuard(bar);
  const act = useAct();
  const [scope, setScope] = useState<StandingScope>('once');
  const [reason, setReason] = useState<string | null>(null);
  const expired = useNow() >= approval.expiresAt;
  const chosen = SCOPES.find((one) => one.scope === scope) ?? SCOPES[0]!;
  const locked = !guard.armed || act.busy || expired;

  const approve = (event: React.MouseEvent<HTMLElement>) => {
    if (!guard.accepts(event) || !seen) return;
    const { id, argumentsSha256 } = approval;
    void act.run(() => bridge.request('approvalApprove', { approval: id, argumentsSha256, scope }));
  };
  const deny = (event: React.MouseEvent<HTMLElement>, why: string) => {
    if (!guard.accepts(event)) return;
    void act.run(() => bridge.request('approvalDeny', { approval: approval.id, reason: why }));
  };

  return (
    <footer className="answer">
      <div className="answer-how">
        <span className="quiet" aria-live="polite">
          {waitsFor(expired, seen, guard.armed)}
        </span>
        <RadioGroup
          className="segments"
          aria-label="How long a yes lasts"
          value={scope}
          onChange={(value) => setScope(SCOPES.find((one) => one.scope === value)?.scope ?? 'once')}
        >
          {SCOPES.map((one) => (
            <Radio key={one.scope} value={one.scope}>
              {one.label}
            </Radio>
          ))}
        </RadioGroup>
      </div>
      {reason !== null && (
        <TextField className="field" value={reason} onChange={setReason} autoFocus maxLength={2000}>
          <Label>What the agent is told</Label>
          <TextArea rows={2} placeholder="For example: use the staging database instead." />
        </TextField>
      )}
      <div ref={bar} className="answer-bar" {...guard.watch}>
        {reason === null ? (
          <>
            <button type="button" className="button deny" disabled={locked} onClick={(event) => deny(event, '')}>
              Deny
            </button>
            <Button className="link" onPress={() => setReason('')}>
              Deny with a reason…
            </Button>
          </>
        ) : (
          <>
            <button type="button" className="button deny" disabled={locked} onClick={(event) => deny(event, reason)}>
              Deny with this reason
            </button>
            <Button className="link" onPress={() => setReason(null)}>
              Back
            </Button>
          </>
        )}
        <span className="grow" />
        <button
          type="button"
          className={`button approve risk-${approval.risk}`}
          disabled={locked || !seen || reason !== null}
          onClick={approve}
        >
          {chosen.approve}
        </button>
      </div>
      <Problem message={act.problem} />
    </footer>
  );
}

function waitsFor(expired: boolean, seen: boolean, armed: boolean): string {
  if (expired) return 'Its time is over.';
  if (!seen) return 'Scroll to the end of the arguments to approve.';
  // Always a line of its own, so that nothing moves when it changes.
  return armed ? 'A yes is for' : 'One moment…';
}
