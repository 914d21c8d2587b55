import { Visible } from '../card/visible.tsx';
import { useAct, useBridge } from '../live.ts';
import { ConfirmButton } from './confirm.tsx';
import { Problem } from './notes.tsx';

/** What was sealed with a key that is gone, and the one way on without it. The banner above says why. */
export function LostSecrets({ lost }: { readonly lost: readonly string[] }) {
  const bridge = useBridge();
  const act = useAct();
  return (
    <section className="banner lost-secrets" aria-label="Lost secrets">
      <strong>Sealed with the key that is gone:</strong>
      <ul>
        {lost.map((name) => (
          <li key={name}>
            <Visible text={name} />
          </li>
        ))}
      </ul>
      <Problem message={act.problem} />
      <ConfirmButton
        label="Begin with a new key"
        question="These are then lost for good, and you enter them or sign in again."
        confirm="Begin with a new key"
        isDisabled={act.busy}
        onConfirm={() => void act.run(() => bridge.request('secretsBeginAnew', {}))}
      />
    </section>
  );
}
