import { BrowserWindow, type Session, type WebContents } from 'electron';
import type { ApprovalView, ConfirmationView, Topic } from '../../shared/model.ts';
import type { Api } from '../core/api.ts';
import type { Clock } from '../core/platform.ts';
import { createAnswerGate, type HandInput } from './answer-gate.ts';
import { type Card, cardKey, cardOnTop } from './cards.ts';
import { APPROVAL_CHANNELS } from './channels.ts';
import { answerApprovalWindow } from './ipc.ts';
import { lockedPreferences } from './locks.ts';
import { PAGE_ORIGIN } from './page-protocol.ts';

export interface ApprovalWindow {
  /** Looks again at what waits: comes into sight without taking the keyboard, or goes when nothing waits. */
  refresh(): Promise<void>;
  /** The person asked for it: comes to the front, on that card while it still waits, else on the oldest. */
  review(card: Card | null): Promise<void>;
  tell(topic: Topic): void;
  close(): void;
}

/** The one window in which calls are approved and confirmations answered: own webContents, own preload, own channel. */
export function createApprovalWindow(parts: {
  readonly api: Api;
  readonly clock: Clock;
  readonly session: Session;
  readonly preload: string;
  readonly icon: string;
  readonly packaged: boolean;
}): ApprovalWindow {
  let window: BrowserWindow | null = null;
  let asked: Card | null = null;
  let closing = false;
  /** Keys of the cards that waited when they were last looked at, and of those that the person put away for later. */
  let known: readonly string[] = [];
  let putAway: ReadonlySet<string> = new Set();

  const waiting = async (): Promise<Waiting> => {
    const caller = { origin: 'approval-window', label: 'approval window' } as const;
    const [approvals, confirmations] = await Promise.all([
      parts.api.request('approvalsList', { state: 'waiting' }, caller),
      parts.api.request('confirmationsList', {}, caller),
    ]);
    const lists = {
      approvals: (approvals.kind === 'answered' ? approvals.result : []) as readonly ApprovalView[],
      confirmations: (confirmations.kind === 'answered' ? confirmations.result : []) as readonly ConfirmationView[],
    };
    known = [
      ...lists.approvals.map(({ id }) => cardKey({ kind: 'approval', id })),
      ...lists.confirmations.map(({ id }) => cardKey({ kind: 'confirmation', id })),
    ];
    return { ...lists, top: cardOnTop(lists.approvals, lists.confirmations, asked) };
  };

  const create = (): BrowserWindow => {
    const gate = createAnswerGate(parts.clock);
    const made = new BrowserWindow({
      width: 560,
      height: 640,
      minWidth: 420,
      minHeight: 420,
      show: false,
      title: 'Gatehouse asks',
      icon: parts.icon,
      alwaysOnTop: true,
      fullscreenable: false,
      autoHideMenuBar: true,
      webPreferences: lockedPreferences(parts.preload, parts.packaged, parts.session),
    });
    answerApprovalWindow({ contents: made.webContents, page: APPROVAL_PAGE, api: parts.api, gate, waiting });
    watchHand(made.webContents, gate.input);
    made.on('show', gate.appeared);
    made.on('restore', gate.appeared);
    made.on('close', (event) => {
      if (closing) return;
      // Closing the window is no answer: what waits goes on waiting, until it expires or the person comes back to it.
      event.preventDefault();
      putAway = new Set(known);
      made.hide();
    });
    made.on('closed', () => {
      window = null;
    });
    // A page that died answers nothing; a new one is made for what waits.
    made.webContents.on('render-process-gone', () => {
      made.destroy();
      void refresh();
    });
    void made.loadURL(APPROVAL_PAGE);
    return made;
  };

  const tell = (topic: Topic): void => {
    if (window !== null && !window.isDestroyed()) window.webContents.send(APPROVAL_CHANNELS.topic, topic);
  };

  const refresh = async (): Promise<void> => {
    const { top } = await waiting();
    if (closing) return;
    if (top === null) {
      asked = null;
      window?.hide();
      return;
    }
    // Put away for later means that only something new brings the window back by itself.
    if (known.every((key) => putAway.has(key))) return;
    window ??= create();
    // SECURITY: shown inactive, so that a keystroke meant for another program cannot land on a card (security.md F12).
    if (!window.isVisible()) window.showInactive();
  };

  return {
    refresh,
    tell,
    async review(card) {
      asked = card;
      const { top } = await waiting();
      if (closing || top === null) return;
      window ??= create();
      window.show();
      window.focus();
      tell('approvals');
      tell('confirmations');
    },
    close() {
      closing = true;
      window?.destroy();
    },
  };
}

export interface Waiting {
  readonly approvals: readonly ApprovalView[];
  readonly confirmations: readonly ConfirmationView[];
  /** The one card that the window shows. */
  readonly top: Card | null;
}

const APPROVAL_PAGE = `${PAGE_ORIGIN}/approval.html`;

/**
 * Passes on the presses that the main process sees on their way to the page. Events that a script dispatches inside the
 * page never come this way.
 */
function watchHand(contents: WebContents, input: (event: HandInput) => void): void {
  contents.on('before-mouse-event', (_event, mouse) => {
    if (mouse.button !== 'left') return;
    if (mouse.type === 'mouseDown') input({ device: 'mouse', phase: 'down' });
    if (mouse.type === 'mouseUp') input({ device: 'mouse', phase: 'up' });
  });
  contents.on('before-input-event', (_event, key) => {
    // A key held down repeats; only the first is a decision.
    if (key.isAutoRepeat || key.isComposing) return;
    const device = key.key === 'Enter' ? 'Enter' : key.key === ' ' ? 'Space' : null;
    if (device === null) return;
    input({ device, phase: key.type === 'keyDown' ? 'down' : 'up' });
  });
  contents.on('input-event', (_event, { type }) => {
    if (type === 'touchStart') input({ device: 'touch', phase: 'down' });
    if (type === 'touchEnd') input({ device: 'touch', phase: 'up' });
  });
}
