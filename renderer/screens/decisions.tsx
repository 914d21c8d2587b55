import { Button } from 'react-aria-components';
import type { ApprovalState, ApprovalView, StandingApprovalView } from '../../shared/model.ts';
import { Visible } from '../card/visible.tsx';
import { useAct, useBridge, useLive, useNow } from '../live.ts';
import { RiskBadge } from '../parts/badges.tsx';
import { Problem } from '../parts/notes.tsx';
import { timeAgo, timeLeft } from '../parts/time.ts';

const RECENT_AT_MOST = 20;

const STATES: Readonly<Record<ApprovalState, string>> = {
  waiting: 'waits',
  approved: 'approved',
  redeemed: 'approved',
  denied: 'denied',
  expired: 'expired',
  cancelled: 'cancelled',
};

/** The last answers, newest first. The audit has all of them. */
export function RecentDecisions({ approvals }: { readonly approvals: readonly ApprovalView[] }) {
  const now = useNow();
  if (approvals.length === 0) return null;
  const newest = [...approvals].sort((a, b) => (b.decidedAt ?? b.createdAt) - (a.decidedAt ?? a.createdAt));
  return (
    <section>
      <h3 className="section">Recent decisions</h3>
      <ul className="list">
        {newest.slice(0, RECENT_AT_MOST).map((approval) => (
          <li key={approval.id} className="list-row">
            <span className={`decided decided-${approval.state}`}>{STATES[approval.state]}</span>
            <span className="grow">
              <strong>
                <Visible text={approval.upstream} /> / <Visible text={approval.tool} />
              </strong>
              <span className="quiet">
                {' '}
                for <Visible text={approval.client} />
                {approval.state === 'approved' && ' · waits for the caller to ask again'}
                {approval.denyReason && (
                  <>
                    {' '}
                    · “<Visible text={approval.denyReason} />”
                  </>
                )}
              </span>
            </span>
            <RiskBadge risk={approval.risk} />
            <span className="quiet when">{timeAgo(approval.decidedAt ?? approval.createdAt, now)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Remembered answers that still hold, each with its end. */
export function StandingApprovals() {
  const standing = useLive('standingList', {}, ['approvals']);
  if (!standing.data?.length) return null;
  return (
    <section>
      <h3 className="section">Standing approvals</h3>
      <p className="quiet section-text">
        Calls that match one of these run without asking, until it ends or you revoke it.
      </p>
      <ul className="list">
        {standing.data.map((one) => (
          <StandingRow key={one.id} standing={one} />
        ))}
      </ul>
    </section>
  );
}

function StandingRow({ standing }: { readonly standing: StandingApprovalView }) {
  const bridge = useBridge();
  const act = useAct();
  const now = useNow();
  return (
    <li className="list-row">
      <span className="grow">
        <strong>
          <Visible text={standing.upstream} /> / <Visible text={standing.tool} />
        </strong>
        <span className="quiet">
          {' '}
          for <Visible text={standing.client} /> · used {standing.usedCount}×
        </span>
        <Problem message={act.problem} />
      </span>
      <span className="quiet">{endOf(standing, now)}</span>
      <Button
        className="button small"
        isDisabled={act.busy}
        onPress={() => void act.run(() => bridge.request('standingRevoke', { standing: standing.id }))}
      >
        Revoke
      </Button>
    </li>
  );
}

function endOf(standing: StandingApprovalView, now: number): string {
  if (standing.expiresAt !== null) return `${timeLeft(standing.expiresAt - now)} left`;
  return standing.scope === 'session' ? 'until the session ends' : 'until you revoke it';
}
