import { BrowserWindow, type Session, type WebContents } from 'electron';
import type { Topic } from '../../shared/model.ts';
import type { Api } from '../core/api.ts';
import type { Clock } from '../core/platform.ts';
import { createAnswerGate, type HandInput } from './answer-gate.ts';
import { createCardView } from './card-view.ts';
import { type Card, cardAddress, cardInAddress, cardKey } from './cards.ts';
import { APPROVAL_CHANNELS } from './channels.ts';
import { answerApprovalWindow } from './ipc.ts';
import { loadPage } from './load-page.ts';
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
  let closing = false;
  /** Keys of the cards that the person put away for later by closing the window. */
  let putAway: ReadonlySet<string> = new Set();

  const waiting = async (): Promise<readonly Card[]> => {
    const caller = { origin: 'approval-window', label: 'approval window' } as const;
    const [approvals, confirmations] = await Promise.all([
      parts.api.request('approvalsList', { state: 'waiting' }, caller),
      parts.api.request('confirmationsList', {}, caller),
    ]);
    return [
      ...cardsOf('approval', approvals.kind === 'answered' ? (approvals.result as readonly Identified[]) : []),
      ...cardsOf(
        'confirmation',
        confirmations.kind === 'answered' ? (confirmations.result as readonly Identified[]) : [],
      ),
    ];
  };

  const create = (): BrowserWindow => {
    const gate = createAnswerGate(parts.clock);
    const view = createCardView(gate);
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
    answerApprovalWindow({ contents: made.webContents, page: APPROVAL_PAGE, api: parts.api, gate, view });
    // The page's address says which card it shows, and only the main process is believed about when it changed.
    made.webContents.on('did-navigate-in-page', (_event, url, isMainFrame) => {
      if (isMainFrame) view.asked(cardInAddress(url));
    });
    made.webContents.on('did-navigate', (_event, url) => {
      view.asked(cardInAddress(url));
      gate.appeared();
    });
    watchHand(made.webContents, gate.input);
    made.on('show', gate.appeared);
    made.on('restore', gate.appeared);
    made.on('close', (event) => {
      if (closing) return;
      // Closing the window is no answer: what waits goes on waiting, until it expires or the person comes back to it.
      event.preventDefault();
      made.hide();
      void waiting().then((cards) => {
        putAway = new Set(cards.map(cardKey));
      });
    });
    made.on('closed', () => {
      window = null;
    });
    // A page that died answers nothing; a new one is made for what waits.
    made.webContents.on('render-process-gone', () => {
      made.destroy();
      void refresh();
    });
    loadPage(made, APPROVAL_PAGE);
    return made;
  };

  const tell = (topic: Topic): void => {
    if (window !== null && !window.isDestroyed()) window.webContents.send(APPROVAL_CHANNELS.topic, topic);
  };

  const refresh = async (): Promise<void> => {
    const cards = await waiting();
    if (closing) return;
    if (cards.length === 0) {
      window?.hide();
      return;
    }
    // Put away for later means that only something new brings the window back by itself.
    if (cards.every((card) => putAway.has(cardKey(card)))) return;
    window ??= create();
    // SECURITY: shown inactive, so that a keystroke meant for another program cannot land on a card (security.md F12).
    if (!window.isVisible()) window.showInactive();
  };

  return {
    refresh,
    tell,
    async review(card) {
      const cards = await waiting();
      if (closing || cards.length === 0) return;
      putAway = new Set();
      window ??= create();
      if (card !== null) loadPage(window, `${APPROVAL_PAGE}${cardAddress(card)}`);
      window.show();
      window.focus();
    },
    close() {
      closing = true;
      window?.destroy();
    },
  };
}

interface Identified {
  readonly id: string;
}

const cardsOf = (kind: Card['kind'], views: readonly Identified[]): readonly Card[] =>
  views.map(({ id }) => ({ kind, id }));

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
