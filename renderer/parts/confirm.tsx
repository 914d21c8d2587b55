import { type ReactNode, useState } from 'react';
import { Button } from 'react-aria-components';

interface Asked {
  readonly label: string;
  /** What will happen, in a sentence. */
  readonly question: ReactNode;
  readonly confirm: string;
  readonly isDisabled?: boolean;
  /** Else a small button. */
  readonly className?: string;
  onConfirm(): void;
}

/** A button that asks once more in its own place before something is lost. */
export function ConfirmButton({ label, question, confirm, isDisabled = false, className, onConfirm }: Asked) {
  const [asking, setAsking] = useState(false);
  if (!asking) {
    return (
      <Button
        className={className ?? 'button small quiet-danger'}
        isDisabled={isDisabled}
        onPress={() => setAsking(true)}
      >
        {label}
      </Button>
    );
  }
  return (
    <fieldset className="confirm" aria-label={label}>
      <span>{question}</span>
      <Button className="button small" autoFocus onPress={() => setAsking(false)}>
        Keep
      </Button>
      <Button
        className="button small danger"
        isDisabled={isDisabled}
        onPress={() => {
          setAsking(false);
          onConfirm();
        }}
      >
        {confirm}
      </Button>
    </fieldset>
  );
}
