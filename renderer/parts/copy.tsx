import { useState } from 'react';
import { Button } from 'react-aria-components';

interface Copied {
  readonly text: string;
  readonly label: string;
  /** What the button shows. */
  readonly children?: string;
  readonly className?: string;
}

/** Copies `text`; says so for a moment, or says that it could not. */
export function Copy({ text, label, children = 'Copy', className = 'button small' }: Copied) {
  const [said, setSaid] = useState<string | null>(null);
  const say = (what: string) => {
    setSaid(what);
    window.setTimeout(() => setSaid(null), 1600);
  };
  return (
    <Button
      className={className}
      aria-label={label}
      onPress={() =>
        navigator.clipboard.writeText(text).then(
          () => say('Copied'),
          () => say('Select and copy by hand'),
        )
      }
    >
      {said ?? children}
    </Button>
  );
}
