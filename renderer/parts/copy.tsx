import { useState } from 'react';
import { Button } from 'react-aria-components';

/** Copies `text`; says so for a moment, or says that it could not. */
export function Copy({ text, label }: { readonly text: string; readonly label: string }) {
  const [said, setSaid] = useState<string | null>(null);
  const say = (what: string) => {
    setSaid(what);
    window.setTimeout(() => setSaid(null), 1600);
  };
  return (
    <Button
      className="button small"
      aria-label={label}
      onPress={() =>
        navigator.clipboard.writeText(text).then(
          () => say('Copied'),
          () => say('Select and copy by hand'),
        )
      }
    >
      {said ?? 'Copy'}
    </Button>
  );
}
