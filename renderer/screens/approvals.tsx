import { useState } from 'react';
import { Button } from 'react-aria-components';
import { batchesOf } from '../../shared/batches.ts';
import type { ApprovalView, ConfirmationView } from '../../shared/model.ts';
import { BatchCard } from '../card/batch-card.tsx';
import { ConfirmationCard } from '../card/confirmation-card.tsx';
import { Visible } from '../card/visible.tsx';
import { useBridge, useLive, useNow } from '../live.ts';
import { RiskBadge } from '../parts/badges.tsx';
import { Empty, Problem } from '../parts/notes.tsx';
import { timeLeft } from '../parts/time.ts';
import { RecentDecisions } from './decisions.tsx';
import { StandingApprovals } from './standing.tsx';

/** Everything that waits for the person, and what was answered before. */
export function ApprovalsScreen() {
  const bridge = useBridge();
  const approvals = useLive('approvalsList', { state: 'all' }, ['approvals']);
  const confirmations = useLive('confirmationsList', {}, ['confirmations']);
  const waiting = (approvals.data ?? []).filter((approval) => approval.state === 'waiting');
  const batches = batchesOf(waiting);
  const asked = confirmations.data ?? [];
  const answersHere = bridge.surface === 'dashboard';
  return (
    <div className="screen">
      <div className="screen-head">
        <h2>Approvals</h2>
      </div>
      {answersHere && <WhatApprovingHereMeans />}
      <Problem message={approvals.problem ?? confirmations.problem} />
      {approvals.data && waiting.length + asked.length === 0 && (
        <Empty title="Nothing waits for you">
          <p>When a rule asks for your approval, the call appears here with everything it would do.</p>
          <p>To see one: connect an agent on the Clients screen and let it call a tool that writes.</p>
        </Empty>
      )}
      {asked.map((confirmation) =>
        answersHere ? (
          <ConfirmationCard key={confirmation.id} confirmation={confirmation} queue="" />
        ) : (
          <ConfirmationRow key={confirmation.id} confirmation={confirmation} />
        ),
      )}
      {batches.map((calls, index) =>
        answersHere ? (
          <BatchCard key={calls[0]?.group} calls={calls} queue={placeOf(index, batches.length)} />
        ) : (
          <ApprovalRow key={calls[0]?.group} calls={calls} />
        ),
      )}
      <StandingApprovals />
      <RecentDecisions approvals={(approvals.data ?? []).filter((approval) => approval.state !== 'waiting')} />
    </div>
  );
}

/** `2 of 5`; nothing when it is alone. */
export function placeOf(index: number, count: number): string {
  return count > 1 ? `${index + 1} of ${count}` : '';
}

const UNDERSTOOD = 'gatehouse.understood';

function WhatApprovingHereMeans() {
  const [understood, setUnderstood] = useState(sessionStorage.getItem(UNDERSTOOD) !== null);
  if (understood) return null;
  return (
    <div className="note strip">
      <p>
        <strong>This tab approves.</strong> Whoever sits at this screen can answer calls here. Agents cannot reach this
        page: it opens only with its one-time link. While no such tab is open, calls that need you are refused.
      </p>
      <Button
        className="button small"
        onPress={() => {
          sessionStorage.setItem(UNDERSTOOD, 'yes');
          setUnderstood(true);
        }}
      >
        Understood
      </Button>
    </div>
  );
}

/** In the main window: what waits, and the way to the window that answers it. */
function ApprovalRow({ calls }: { readonly calls: readonly ApprovalView[] }) {
  const bridge = useBridge();
  const now = useNow();
  const [approval] = calls;
  if (!approval) return null;
  return (
    <article className={`card row risk-edge-${approval.risk}`}>
      <div className="grow">
        <h3 className="row-name">
          <Visible text={approval.upstream} /> / <Visible text={approval.tool} />
        </h3>
        <p className="quiet">
          for <Visible text={approval.client} /> · {timeLeft(approval.expiresAt - now)} left
          {calls.length > 1 && ` · ${calls.length} calls`}
          {approval.held !== null && ' · it has run, its result waits'}
          {approval.callerLeft && ' · caller left'}
        </p>
      </div>
      <RiskBadge risk={approval.risk} />
      <Button className="button" onPress={() => bridge.review?.({ approval: approval.id })}>
        Review
      </Button>
    </article>
  );
}

function ConfirmationRow({ confirmation }: { readonly confirmation: ConfirmationView }) {
  const bridge = useBridge();
  const now = useNow();
  return (
    <article className="card row risk-edge-write">
      <div className="grow">
        <h3 className="row-name">
          <Visible text={confirmation.title} />
        </h3>
        <p className="quiet">
          asked for by <Visible text={confirmation.requestedBy} /> · {timeLeft(confirmation.expiresAt - now)} left
        </p>
      </div>
      <Button className="button" onPress={() => bridge.review?.({ confirmation: confirmation.id })}>
        Review
      </Button>
    </article>
  );
}
