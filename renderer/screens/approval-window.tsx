import { useEffect, useState } from 'react';
import { Button } from 'react-aria-components';
import { batchesOf } from '../../shared/batches.ts';
import type { ApprovalView, ConfirmationView } from '../../shared/model.ts';
import { BatchCard } from '../card/batch-card.tsx';
import { ConfirmationCard } from '../card/confirmation-card.tsx';
import { useLive } from '../live.ts';
import { Empty, Problem } from '../parts/notes.tsx';
import { placeOf } from './approvals.tsx';

type Waiting =
  /** `id` is that of its oldest call. */
  | {
      readonly kind: 'approval';
      readonly id: string;
      readonly at: number;
      readonly calls: readonly ApprovalView[];
    }
  | {
      readonly kind: 'confirmation';
      readonly id: string;
      readonly at: number;
      readonly confirmation: ConfirmationView;
    };

/**
 * The desktop's approval window: one card at a time. The address says which (`#approval=<id>`, `#confirmation=<id>`);
 * otherwise, and after an answer, the oldest that waits. Whatever takes another's place starts its own guard.
 */
export function ApprovalWindow() {
  const approvals = useLive('approvalsList', { state: 'waiting' }, ['approvals']);
  const confirmations = useLive('confirmationsList', {}, ['confirmations']);
  const [wanted, setWanted] = useState(idInAddress);
  useEffect(() => {
    const onMove = () => setWanted(idInAddress());
    window.addEventListener('hashchange', onMove);
    return () => window.removeEventListener('hashchange', onMove);
  }, []);
  const queue = queueOf(approvals.data ?? [], confirmations.data ?? []);
  const found = queue.findIndex((one) => holds(one, wanted));
  const index = Math.max(0, found);
  const shown = queue[index];
  const place = placeOf(index, queue.length);
  return (
    <main className="approval-window">
      <Problem message={approvals.problem ?? confirmations.problem} />
      {approvals.data && confirmations.data && !shown && (
        <Empty title="Nothing waits for you">
          <p>You can close this window.</p>
        </Empty>
      )}
      {shown?.kind === 'approval' && <BatchCard key={shown.calls[0]?.group} calls={shown.calls} queue={place} />}
      {shown?.kind === 'confirmation' && (
        <ConfirmationCard key={shown.id} confirmation={shown.confirmation} queue={place} />
      )}
      {queue.length > 1 && (
        <div className="actions">
          <Button className="link" onPress={() => goTo(queue[(index + queue.length - 1) % queue.length]!)}>
            ‹ Previous
          </Button>
          <Button className="link" onPress={() => goTo(queue[(index + 1) % queue.length]!)}>
            Next ›
          </Button>
        </div>
      )}
    </main>
  );
}

/** By the address, because the main process watches it: an answer about another card than the address names is refused. */
function goTo({ kind, id }: Waiting): void {
  window.location.hash = `${kind}=${id}`;
}

function queueOf(approvals: readonly ApprovalView[], confirmations: readonly ConfirmationView[]): readonly Waiting[] {
  const queue: readonly Waiting[] = [
    ...batchesOf(approvals.filter((approval) => approval.state === 'waiting')).flatMap((calls) =>
      calls[0] ? [{ kind: 'approval', id: calls[0].id, at: calls[0].createdAt, calls } as const] : [],
    ),
    ...confirmations.map(
      (confirmation) =>
        ({ kind: 'confirmation', id: confirmation.id, at: confirmation.createdAt, confirmation }) as const,
    ),
  ];
  return [...queue].sort((a, b) => a.at - b.at);
}

/** A call is named by its own id, and shown on the card of all that wait with it. */
function holds(waiting: Waiting, wanted: string | null): boolean {
  return waiting.kind === 'approval' ? waiting.calls.some(({ id }) => id === wanted) : waiting.id === wanted;
}

function idInAddress(): string | null {
  return /^#(?:approval|confirmation)=(.+)$/.exec(window.location.hash)?.[1] ?? null;
}
