import type { IpcMainEvent, IpcMainInvokeEvent, WebContents } from 'electron';
import { z } from 'zod';
import type { Refused } from '../../shared/api.ts';
import type { ApprovalView, ConfirmationView } from '../../shared/model.ts';
import type { Api, ApiAnswer } from '../core/api.ts';
import type { AnswerGate, GateVerdict } from './answer-gate.ts';
import type { CardView } from './card-view.ts';
import type { Card } from './cards.ts';
import { APPROVAL_CHANNELS, MAIN_CHANNELS } from './channels.ts';

/** Answers the main window. Handlers hang on its own webContents, so no other window reaches them. */
export function answerMainWindow(parts: {
  readonly contents: WebContents;
  readonly page: string;
  readonly api: Api;
  review(card: Card | null): void;
}): void {
  const { contents, page, api } = parts;
  contents.ipc.handle(MAIN_CHANNELS.request, async (event, name: unknown, input: unknown): Promise<ApiAnswer> => {
    demandSender(event, contents, page);
    return api.request(String(name), input, { origin: 'main-window', label: 'main window' });
  });
  contents.ipc.on(MAIN_CHANNELS.review, (event, what: unknown) => {
    demandSender(event, contents, page);
    const asked = review.safeParse(what);
    if (asked.success) parts.review(cardOf(asked.data));
  });
}

/** Answers the approval window: what it is handed is what the gate watches, and its answers pass the gate. */
export function answerApprovalWindow(parts: {
  readonly contents: WebContents;
  readonly page: string;
  readonly api: Api;
  readonly gate: AnswerGate;
  readonly view: CardView;
}): void {
  const { contents, page, api, gate, view } = parts;
  const caller = { origin: 'approval-window', label: 'approval window' } as const;

  contents.ipc.handle(APPROVAL_CHANNELS.request, async (event, name: unknown, input: unknown): Promise<ApiAnswer> => {
    demandSender(event, contents, page);
    switch (name) {
      case 'status':
      // The card shows the difference to the last call and what a standing approval would cover.
      case 'auditList':
      case 'standingList':
        return api.request(name, input, caller);
      case 'approvalsList': {
        const answer = await api.request(name, { state: 'waiting' }, caller);
        if (answer.kind === 'answered') view.handedApprovals(answer.result as readonly ApprovalView[]);
        return answer;
      }
      case 'confirmationsList': {
        const answer = await api.request(name, {}, caller);
        if (answer.kind === 'answered') view.handedConfirmations(answer.result as readonly ConfirmationView[]);
        return answer;
      }
      case 'approvalApprove':
      case 'approvalDeny':
      case 'approvalsApproveMany':
      case 'approvalsDenyMany':
      case 'resultRelease':
      case 'resultWithhold':
      case 'confirmationAnswer': {
        const cards = answeredBy(name, input);
        if (cards.length === 0) return { kind: 'bad_request', message: 'The answer does not say what it answers.' };
        // SECURITY: an answer counts only after a press that the main process saw, on the card shown there (F10, F17).
        const verdict = gate.admit(view.shownWith(cards));
        if (verdict.kind === 'refused') return answered({ kind: 'refused', message: REFUSALS[verdict.reason] });
        return api.request(name, input, caller);
      }
      default:
        return { kind: 'forbidden', message: 'The approval window does not make this request.' };
    }
  });
}

/** Throws, so that the page's promise rejects: a message from anywhere else is an attack or a bug, never an ending. */
function demandSender(event: IpcMainInvokeEvent | IpcMainEvent, contents: WebContents, page: string): void {
  // SECURITY: the top frame of that very window, standing on that very page (security.md L4).
  const frame = event.senderFrame;
  const isWindow = event.sender === contents && frame !== null && frame.parent === null;
  if (!isWindow || frame.url.split('#')[0] !== page) throw new Error('This page may not send messages to Gatehouse.');
}

const review = z.object({ approval: z.string().max(200).optional(), confirmation: z.string().max(200).optional() });
const many = z.object({
  approvals: z.array(z.string().max(200)).optional(),
  calls: z.array(z.object({ approval: z.string().max(200) })).optional(),
});

/** Everything that one answer is about; nothing when it does not say. */
function answeredBy(name: string, input: unknown): readonly Card[] {
  if (name === 'approvalsApproveMany' || name === 'approvalsDenyMany') {
    const { approvals = [], calls = [] } = many.safeParse(input).data ?? {};
    return [...approvals, ...calls.map(({ approval }) => approval)].map((id) => ({ kind: 'approval', id }));
  }
  const named = review.safeParse(input);
  const card = named.success ? cardOf(named.data) : null;
  return card === null ? [] : [card];
}

function cardOf(named: z.output<typeof review>): Card | null {
  if (named.approval !== undefined) return { kind: 'approval', id: named.approval };
  if (named.confirmation !== undefined) return { kind: 'confirmation', id: named.confirmation };
  return null;
}

const answered = (result: Extract<ApiAnswer, { kind: 'answered' }>['result'] | Refused): ApiAnswer =>
  ({ kind: 'answered', result }) as ApiAnswer;

const REFUSALS: Readonly<Record<Extract<GateVerdict, { kind: 'refused' }>['reason'], string>> = {
  other_card: 'Not answered: this is not what the window shows now. Read the card again.',
  no_input: 'Not answered: nobody pressed the button. Press it in this window.',
  too_soon: 'Not answered: the card had just appeared. Read it, then press the button again.',
};
