import { useState } from 'react';
import { Button } from 'react-aria-components';
import { Visible } from '../card/visible.tsx';

const SHOWN_AT_ONCE = 10;

/** Scopes as the vendor names them; what was not had before is marked in words. */
export function Scopes(props: { readonly scopes: readonly string[]; readonly fresh?: readonly string[] }) {
  const { scopes, fresh = [] } = props;
  const [all, setAll] = useState(false);
  // What is new is never among those left out.
  const ordered = scopes.toSorted((a, b) => Number(fresh.includes(b)) - Number(fresh.includes(a)));
  const shown = all ? ordered : ordered.slice(0, Math.max(SHOWN_AT_ONCE, fresh.length));
  return (
    <span className="scopes">
      {shown.map((scope) => (
        <span key={scope} className={fresh.includes(scope) ? 'scope fresh' : 'scope'}>
          <code>
            <Visible text={scope} />
          </code>
          {fresh.includes(scope) && <strong className="scope-new">new</strong>}
        </span>
      ))}
      {shown.length < ordered.length && (
        <Button className="link" onPress={() => setAll(true)}>
          and {ordered.length - shown.length} more
        </Button>
      )}
    </span>
  );
}
