import type { Refused } from '../../../shared/api.ts';
import type { ConfirmationView } from '../../../shared/model.ts';
import type { Caller } from '../api.ts';
import type { Confirmations } from '../approvals/confirmations.ts';
import type { Audit } from '../audit/audit.ts';

export type Act = Pick<ConfirmationView, 'kind' | 'title' | 'lines'>;

/**
 * Asks the person before an act that widens access (a key, an upstream's command, a review, a policy). Resolves with
 * null when it may be done. The approval window and the dashboard are the person; everybody else waits for one, unless
 * the app was started unattended, or does not run at all and the command line holds the data folder itself.
 */
export type Widening = (act: Act, caller: Caller) => Promise<Refused | null>;

export function createWidening(parts: {
  readonly confirmations: Confirmations;
  readonly audit: Audit;
  readonly unattended: boolean;
  readonly running: boolean;
}): Widening {
  const { confirmations, audit, unattended, running } = parts;
  return async (act, caller) => {
    const isPerson = caller.origin === 'dashboard' || caller.origin === 'approval-window';
    if (isPerson || !running || (unattended && caller.origin === 'cli')) return null;
    const answer = await confirmations.request({ ...act, requestedBy: caller.label });
    audit.writeSoon({
      phase: 'event',
      kind: 'confirmation',
      outcome: answer,
      detail: { act: act.kind, title: act.title, requestedBy: caller.label },
    });
    switch (answer) {
      case 'confirmed':
        return null;
      case 'refused':
        return { kind: 'refused', message: 'The person refused it. Nothing was changed.' };
      case 'expired':
        return {
          kind: 'refused',
          message: 'Nobody confirmed it in time. Nothing was changed; try again when you are at the screen.',
        };
      case 'unavailable':
        return {
          kind: 'refused',
          message:
            'Nobody can confirm it now, so nothing was changed. Open the dashboard (or unlock the screen) and try again, or start Gatehouse with GATEHOUSE_UNATTENDED=1.',
        };
    }
  };
}
