import type { ApprovalView } from '../../shared/model.ts';
import { Visible } from './visible.tsx';

/** Who asks, with what account, and which rules want an answer. Several calls share all but the rules. */
export function Facts({ calls }: { readonly calls: readonly ApprovalView[] }) {
  const first = calls[0];
  if (!first) return null;
  const sessions = new Set(calls.map(({ session }) => session));
  const reasons = new Map(calls.map((call) => [JSON.stringify([call.rule, call.reason]), call] as const));
  return (
    <dl className="facts">
      <dt>Client</dt>
      <dd>
        <strong>
          <Visible text={first.client} />
        </strong>
        {first.callsItself !== null && (
          <span className="quiet">
            {' '}
            calls itself “<Visible text={first.callsItself} />”
          </span>
        )}
        <span className="quiet">
          {' · '}
          {sessions.size > 1 ? `${sessions.size} sessions` : sessionOf(first.session)}
          {' · workspace '}
          <Visible text={first.workspace} />
        </span>
      </dd>
      {first.connection !== null && (
        <>
          <dt>Account</dt>
          <dd>
            <Visible text={first.connection} />
          </dd>
        </>
      )}
      <dt>Why</dt>
      <dd>
        {[...reasons.entries()].map(([key, { rule, reason }]) => (
          <p key={key}>
            {rule !== null && (
              <>
                rule{' '}
                <code>
                  <Visible text={rule} />
                </code>
                {' · '}
              </>
            )}
            <Visible text={reason} />
          </p>
        ))}
      </dd>
    </dl>
  );
}

/** Eight characters tell a person's sessions apart; the audit has sixteen. */
function sessionOf(session: string | null): string {
  return session === null ? 'no session' : `session ${session.slice(0, 8)}`;
}
