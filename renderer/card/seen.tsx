import { useEffect, useRef } from 'react';

/** An invisible end mark: tells once when it has been inside everything that clips it, the window included. */
export function Seen({ onSeen }: { onSeen(): void }) {
  const mark = useRef<HTMLDivElement>(null);
  const tell = useRef(onSeen);
  useEffect(() => {
    tell.current = onSeen;
  });
  useEffect(() => {
    if (!mark.current) return;
    const observer = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      tell.current();
    });
    observer.observe(mark.current);
    return () => observer.disconnect();
  }, []);
  return <div ref={mark} className="end-mark" />;
}
