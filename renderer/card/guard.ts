import { type RefObject, type SyntheticEvent, useEffect, useRef, useState } from 'react';

/** For so long after a card appears or moves nothing it offers can be pressed: the press was meant for what stood there before. */
export const GUARD_MS = 500;

export interface Guard {
  /** False while presses are ignored; buttons are shown disabled. */
  readonly armed: boolean;
  /**
   * Whether this press is a person's: a real input event, begun while the guard was armed, and no key held down from
   * before. Scripts' `click()` and dispatched events are not (security rows F10 and F17).
   */
  accepts(event: SyntheticEvent<HTMLElement>): boolean;
  /** For the buttons: remembers where a press began. */
  readonly watch: {
    readonly onPointerDown: (event: SyntheticEvent<HTMLElement>) => void;
    readonly onKeyDown: (event: React.KeyboardEvent<HTMLElement>) => void;
  };
}

/**
 * Guards the buttons inside `place`. It counts from the first showing, from every move of `place` in its page (scrolling
 * by hand is no move), and from the moment the window comes back to the front.
 */
export function useGuard(place: RefObject<HTMLElement | null>): Guard {
  const [armed, setArmed] = useState(false);
  const armedAt = useRef(Number.POSITIVE_INFINITY);
  const begun = useRef<number | null>(null);
  const lookNow = useRef(() => {});

  useEffect(() => {
    const element = place.current;
    if (!element) return;
    let timer: number | undefined;
    let stood = '';
    const restart = () => {
      armedAt.current = performance.now() + GUARD_MS;
      setArmed(false);
      window.clearTimeout(timer);
      timer = window.setTimeout(() => setArmed(true), GUARD_MS);
    };
    let frame = 0;
    const look = () => {
      const stands = standsAt(element);
      if (stands === stood) return;
      stood = stands;
      restart();
    };
    const lookEveryFrame = () => {
      look();
      frame = window.requestAnimationFrame(lookEveryFrame);
    };
    // A press may arrive between a move and the next frame, so it looks for itself.
    lookNow.current = look;
    const onShown = () => {
      if (document.visibilityState === 'visible') restart();
    };
    lookEveryFrame();
    window.addEventListener('focus', restart);
    document.addEventListener('visibilitychange', onShown);
    return () => {
      window.cancelAnimationFrame(frame);
      window.clearTimeout(timer);
      window.removeEventListener('focus', restart);
      document.removeEventListener('visibilitychange', onShown);
    };
  }, [place]);

  return {
    armed,
    accepts(event) {
      lookNow.current();
      const from = begun.current;
      begun.current = null;
      return event.nativeEvent.isTrusted && from !== null && from >= armedAt.current;
    },
    watch: {
      onPointerDown: (event) => {
        if (!event.nativeEvent.isTrusted) return;
        lookNow.current();
        begun.current = performance.now();
      },
      onKeyDown: (event) => {
        if (!event.nativeEvent.isTrusted || (event.key !== 'Enter' && event.key !== ' ')) return;
        lookNow.current();
        begun.current = event.repeat ? null : performance.now();
      },
    },
  };
}

/** Where the element stands in its page, free of how far anything is scrolled. */
function standsAt(element: HTMLElement): string {
  let left = 0;
  let top = 0;
  for (let at: Element | null = element; at instanceof HTMLElement; at = at.offsetParent) {
    left += at.offsetLeft;
    top += at.offsetTop;
  }
  return `${left},${top}`;
}
