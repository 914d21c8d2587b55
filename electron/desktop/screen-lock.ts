import type { PowerMonitor } from 'electron';
import type { Approvers } from '../core/approvals/approvers.ts';
import type { Clock } from '../core/platform.ts';

/** How often Linux is asked, in milliseconds: Electron has no lock event there. */
const LOOK_MS = 2000;

/**
 * Makes the desktop an approver while its screen is not locked and the window for cards can be shown. Behind a lock, or
 * in an empty window, nobody sees a card, so calls that need one are refused at once (design section 3). The returned
 * function ends it.
 */
export function followScreenLock(parts: {
  readonly powerMonitor: PowerMonitor;
  readonly approvers: Approvers;
  /** Whether the page of the window for cards is there. */
  canShow(): boolean;
  readonly clock: Clock;
  readonly platform: NodeJS.Platform;
}): () => void {
  const { powerMonitor, approvers, canShow, clock, platform } = parts;
  let leave: (() => void) | null = null;
  const left = () => {
    leave?.();
    leave = null;
  };
  const arrived = () => {
    if (canShow()) leave ??= approvers.arrive('desktop');
    else left();
  };

  const look = () => {
    // `unknown` is a desktop that cannot tell; then somebody is taken to be there.
    if (powerMonitor.getSystemIdleState(24 * 60 * 60) === 'locked') left();
    else arrived();
  };
  look();

  powerMonitor.on('lock-screen', left);
  powerMonitor.on('unlock-screen', arrived);
  let stopLooking = () => {};
  const lookAgain = () => {
    stopLooking = clock.after(LOOK_MS, () => {
      look();
      lookAgain();
    });
  };
  if (platform === 'linux') lookAgain();

  return () => {
    powerMonitor.off('lock-screen', left);
    powerMonitor.off('unlock-screen', arrived);
    stopLooking();
    left();
  };
}
