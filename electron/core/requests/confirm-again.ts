import type { Approvers } from '../approvals/approvers.ts';
import type { Confirmations } from '../approvals/confirmations.ts';
import type { Audit } from '../audit/audit.ts';
import type { Upstreams } from '../upstreams/upstreams.ts';
import { changedOnDisk } from './upstreams.ts';

/**
 * Asks the person about upstreams that were changed on disk, without being asked to: as soon as somebody can answer, and
 * again when somebody comes after nobody did. A refusal holds until Gatehouse is started again, or a person asks for it.
 * The returned function is to be called whenever an upstream has changed.
 */
export function createConfirmAgain(parts: {
  readonly upstreams: Pick<Upstreams, 'list' | 'get' | 'confirm'>;
  readonly confirmations: Confirmations;
  readonly approvers: Approvers;
  readonly audit: Pick<Audit, 'writeSoon'>;
}): () => void {
  const { upstreams, confirmations, approvers, audit } = parts;
  /** Upstreams that were asked about and need not be again. */
  const asked = new Set<string>();

  async function ask(id: string, name: string, act: ReturnType<typeof changedOnDisk>): Promise<void> {
    asked.add(id);
    const answer = await confirmations.request({ ...act, requestedBy: 'Gatehouse' });
    // By another way meanwhile.
    if ((upstreams.get(id)?.toConfirm ?? null) === null) return;
    audit.writeSoon({
      phase: 'event',
      kind: 'confirmation',
      outcome: answer,
      upstream: name,
      detail: { act: act.kind, title: act.title, requestedBy: 'Gatehouse' },
    });
    if (answer === 'confirmed') upstreams.confirm(id);
    if (answer === 'expired' || answer === 'unavailable') asked.delete(id);
  }

  function askAll(): void {
    if (!approvers.present()) return;
    for (const { id, name, enabled, toConfirm } of upstreams.list()) {
      if (enabled && toConfirm !== null && !asked.has(id)) void ask(id, name, changedOnDisk(name, toConfirm));
    }
  }

  approvers.onChange(askAll);
  return askAll;
}
