import type { ApprovalView } from '../../shared/model.ts';
import { useNow } from '../live.ts';
import { timeAgo } from '../parts/time.ts';
import { Changed } from './changed.tsx';

/** What is not as it was in the last call of this tool that the person approved. */
export function SinceLast({ approval }: { readonly approval: ApprovalView }) {
  const { previous, argumentsText } = approval;
  const now = useNow();
  if (previous === null) {
    return (
      <p className="quiet since">Nothing to compare with: no call of this tool was approved since Gatehouse started.</p>
    );
  }
  const when = timeAgo(previous.at, now);
  if (previous.argumentsText === null) {
    return <p className="quiet since">The call you approved {when} was too long to be kept for comparing.</p>;
  }
  if (previous.argumentsText === argumentsText) {
    return <p className="quiet since">Exactly the arguments of the call you approved {when}.</p>;
  }
  return (
    <section className="difference since" aria-label="Difference to the last approved call">
      <h4>Not as in the call you approved {when}</h4>
      <Changed before={previous.argumentsText} after={argumentsText} />
    </section>
  );
}
