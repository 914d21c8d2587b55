import { useNow } from '../live.ts';
import { timeLeft } from '../parts/time.ts';

/** How long the person still has, as words and as a bar, and the place in the queue. */
export function TimeLeft(props: { readonly from: number; readonly until: number; readonly queue: string }) {
  const left = Math.max(0, props.until - useNow());
  const whole = Math.max(1, props.until - props.from);
  return (
    <div className={`time-left ${left < 30_000 ? 'soon' : ''}`}>
      <span>
        {left > 0 ? `${timeLeft(left)} left` : 'expired'}
        {props.queue !== '' && <span className="quiet"> · {props.queue}</span>}
      </span>
      <progress max={1} value={Math.min(1, left / whole)} aria-label="Time left" />
    </div>
  );
}
