import type { ApprovalState, ApprovalView } from '../../shared/model.ts';
import { Called } from '../card/called.tsx';
import { Visible } from '../card/visible.tsx';
import { useNow } from '../live.ts';
import { RiskBadge } from '../parts/badges.tsx';
import { timeAgo } from '../parts/time.ts';

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
                <Called of={approval} />
              </strong>
              <span className="quiet">
                {' '}
                for <Visible text={approval.client} />
                {approval.state === 'approved' && ' · waits for the caller to ask again'}
                {approval.editedSha256 !== null && ' · as you edited it'}
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
