import type { RequestInput, RequestName } from '../../shared/api.ts';
import type { ApprovalView } from '../../shared/model.ts';
import type { Api } from '../core/api.ts';
import type { Notice } from '../core/platform.ts';
import type { Card } from './cards.ts';
import { isPlain, visible } from './plain-text.ts';

/** Text only; a notifier that draws markup escapes it. */
export interface Message {
  readonly title: string;
  readonly body: string;
  /** Left out where the desktop shows no buttons. */
  readonly buttons: readonly Button[];
}

export interface Button {
  /** Unguessable, so that only the notification that was shown can press it. */
  readonly key: string;
  readonly label: string;
}

/** Shows notifications: the desktop's own service on Linux, Electron's elsewhere. */
export interface Notifier {
  /** The returned function takes the notification back. */
  show(message: Message, on: { pressed(key: string): void; opened(): void; closed(): void }): () => void;
}

/** What may be in a notification, as the person set it. */
export interface NotificationChoice {
  readonly show: boolean;
  /** Whether a short harmless call may be approved from its notification. */
  readonly approve: boolean;
}

export interface Notifications {
  /** A new approval card. */
  approval(approval: ApprovalView): void;
  /** A new confirmation: it can only be opened from here. */
  confirmation(id: string): void;
  notice(notice: Notice): void;
  /** Takes back the notifications of calls that wait no longer. */
  refresh(): Promise<void>;
  closeAll(): void;
}

/**
 * A notification is convenience: whoever owns the desktop's notification service could press its buttons. So it approves
 * only a call that is not destructive and stands in it whole, exactly that call, exactly once (design section 9, F15).
 */
export function createNotifications(parts: {
  readonly notifier: Notifier;
  readonly api: Api;
  /** A fresh unguessable text. */
  nonce(): string;
  choice(): NotificationChoice;
  open(card: Card | null): void;
}): Notifications {
  const { notifier, api, nonce, choice, open } = parts;
  const shown = new Map<string, () => void>();
  const caller = { origin: 'notification', label: 'notification' } as const;
  const ask = <N extends RequestName>(name: N, input: RequestInput<N>) => api.request(name, input, caller);

  const stillWaiting = async (): Promise<readonly ApprovalView[]> => {
    const answer = await ask('approvalsList', { state: 'waiting' });
    return answer.kind === 'answered' ? (answer.result as readonly ApprovalView[]) : [];
  };

  const takeBack = (id: string): void => {
    const close = shown.get(id);
    shown.delete(id);
    close?.();
  };

  /** Answers the very call that was shown, looked up again by its id; anything else opens the window instead. */
  const answer = async (approval: ApprovalView, as: 'approve' | 'deny'): Promise<void> => {
    const now = (await stillWaiting()).find(({ id }) => id === approval.id);
    if (now === undefined) return;
    if (as === 'deny') {
      await ask('approvalDeny', { approval: now.id, reason: '' });
      return;
    }
    if (now.argumentsSha256 !== approval.argumentsSha256 || !approvableHere(now) || !choice().approve) {
      open({ kind: 'approval', id: now.id });
      return;
    }
    await ask('approvalApprove', { approval: now.id, argumentsSha256: now.argumentsSha256, scope: 'once' });
  };

  return {
    approval(approval) {
      if (!choice().show || shown.has(approval.id)) return;
      const card = { kind: 'approval', id: approval.id } as const;
      const keys = { approve: nonce(), deny: nonce(), open: nonce() };
      let spent = false;
      const close = notifier.show(messageFor(approval, choice().approve, keys), {
        pressed(key) {
          if (spent) return;
          spent = true;
          takeBack(approval.id);
          if (key === keys.approve) void answer(approval, 'approve');
          else if (key === keys.deny) void answer(approval, 'deny');
          else open(card);
        },
        opened() {
          open(card);
        },
        closed() {
          spent = true;
          shown.delete(approval.id);
        },
      });
      shown.set(approval.id, close);
    },

    confirmation(id) {
      if (!choice().show || shown.has(id)) return;
      const card = { kind: 'confirmation', id } as const;
      const go = () => {
        takeBack(id);
        open(card);
      };
      const message = {
        title: 'Gatehouse asks for your confirmation',
        body: 'Open it to read what is to be changed.',
        buttons: [{ key: nonce(), label: 'Open' }],
      };
      shown.set(id, notifier.show(message, { pressed: go, opened: go, closed: () => shown.delete(id) }));
    },

    notice(notice) {
      if (!choice().show || (notice.approvalId !== null && shown.has(notice.approvalId))) return;
      const go = () => open(notice.approvalId === null ? null : { kind: 'approval', id: notice.approvalId });
      const message = { title: visible(notice.title), body: visible(notice.body), buttons: [] };
      notifier.show(message, { pressed: go, opened: go, closed() {} });
    },

    async refresh() {
      const confirmations = await ask('confirmationsList', {});
      const waiting = new Set([
        ...(await stillWaiting()).map(({ id }) => id),
        ...(confirmations.kind === 'answered' ? (confirmations.result as readonly { id: string }[]) : []).map(
          ({ id }) => id,
        ),
      ]);
      for (const id of [...shown.keys()]) if (!waiting.has(id)) takeBack(id);
    },

    closeAll() {
      for (const id of [...shown.keys()]) takeBack(id);
    },
  };
}

/** How much of a call a notification is trusted to show without cutting it: tool, client and arguments together. */
const WHOLE_CHARACTERS = 180;

/** Whether the whole call can be read in its notification and does no lasting harm. */
function approvableHere(approval: ApprovalView): boolean {
  const text = wholeText(approval);
  return (
    approval.held === null &&
    approval.risk !== 'destructive' &&
    [...text].length <= WHOLE_CHARACTERS &&
    [approval.upstream, approval.connection ?? '', approval.tool, approval.client, approval.argumentsText].every(
      isPlain,
    )
  );
}

const wholeText = (approval: ApprovalView): string =>
  `${calledName(approval)}\nfor ${approval.client}\n${approval.argumentsText}`;

const calledName = ({ upstream, connection, tool }: ApprovalView): string =>
  connection === null ? `${upstream} / ${tool}` : `${upstream} as ${connection} / ${tool}`;

function messageFor(
  approval: ApprovalView,
  mayApprove: boolean,
  keys: { readonly approve: string; readonly deny: string; readonly open: string },
): Message {
  const open = { key: keys.open, label: 'Open' };
  if (approval.held !== null) {
    const body = `${visible(calledName(approval))}\nfor ${visible(approval.client)}\nOpen it to look at the result.`;
    return { title: 'Gatehouse: a result waits for you', body, buttons: [open] };
  }
  const rest = [{ key: keys.deny, label: 'Deny' }, open];
  const title = 'Gatehouse: a call waits for you';
  if (mayApprove && approvableHere(approval)) {
    return { title, body: wholeText(approval), buttons: [{ key: keys.approve, label: 'Approve once' }, ...rest] };
  }
  // No part of the arguments: what cannot be shown whole is not shown at all.
  const body = `${visible(calledName(approval))}\nfor ${visible(approval.client)}\nOpen it to read the whole call.`;
  return { title, body, buttons: rest };
}
