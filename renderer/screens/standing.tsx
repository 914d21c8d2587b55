import { useState } from 'react';
import { Button, Input, SearchField } from 'react-aria-components';
import type { StandingApprovalView } from '../../shared/model.ts';
import { Called } from '../card/called.tsx';
import { Visible } from '../card/visible.tsx';
import { useAct, useBridge, useLive, useNow } from '../live.ts';
import { ConfirmButton } from '../parts/confirm.tsx';
import { Problem } from '../parts/notes.tsx';
import { timeLeft } from '../parts/time.ts';

/** Remembered answers that still hold, each with what it covers and its end. */
export function StandingApprovals() {
  const [search, setSearch] = useState('');
  const all = useLive('standingList', {}, ['approvals']);
  const found = useLive('standingList', { search }, ['approvals']);
  const shown = found.data ?? [];
  if (!all.data?.length) return null;
  return (
    <section>
      <h3 className="section">Standing approvals</h3>
      <p className="quiet section-text">
        Calls that match one of these run without asking, until it ends or you revoke it. A rule that denies outweighs
        them.
      </p>
      <div className="filters standing-filters">
        <SearchField className="search" aria-label="Search standing approvals" value={search} onChange={setSearch}>
          <Input placeholder="Client, upstream, tool or pinned value" />
        </SearchField>
        {clientsOf(shown).map((one) => (
          <RevokeAll key={one.clientId} standing={one} count={countOf(all.data ?? [], one.clientId)} />
        ))}
      </div>
      {shown.length === 0 && <p className="quiet">None of them matches.</p>}
      {shown.length > 0 && (
        <ul className="list">
          {shown.map((one) => (
            <StandingRow key={one.id} standing={one} />
          ))}
        </ul>
      )}
    </section>
  );
}

function RevokeAll({ standing, count }: { readonly standing: StandingApprovalView; readonly count: number }) {
  const bridge = useBridge();
  const act = useAct();
  if (count < 2) return null;
  return (
    <>
      <ConfirmButton
        label={`Revoke all of ${standing.client}`}
        question={
          <>
            Revoke all {count} of <Visible text={standing.client} />?
          </>
        }
        confirm="Revoke"
        isDisabled={act.busy}
        onConfirm={() => void act.run(() => bridge.request('standingRevokeAll', { client: standing.clientId }))}
      />
      <Problem message={act.problem} />
    </>
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
          <Called of={standing} />
        </strong>
        <span className="quiet">
          {' '}
          for <Visible text={standing.client} /> · used {standing.usedCount}×
        </span>
        {standing.pins.map(({ pointer, shown }) => (
          <span key={pointer} className="pinned">
            <code>
              <Visible text={pointer === '' ? 'all arguments' : pointer} />
            </code>{' '}
            is{' '}
            <span className="mono">
              <Visible text={shown} />
            </span>
          </span>
        ))}
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

/** One of each client, in the order they are met. */
function clientsOf(standing: readonly StandingApprovalView[]): readonly StandingApprovalView[] {
  return [...new Map(standing.map((one) => [one.clientId, one] as const)).values()];
}

function countOf(standing: readonly StandingApprovalView[], clientId: string): number {
  return standing.filter((one) => one.clientId === clientId).length;
}

function endOf(standing: StandingApprovalView, now: number): string {
  if (standing.expiresAt !== null) return `${timeLeft(standing.expiresAt - now)} left`;
  return standing.scope === 'session' ? 'until the session ends' : 'until you revoke it';
}
