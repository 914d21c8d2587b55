import { useState } from 'react';
import { Button } from 'react-aria-components';
import { Visible } from '../card/visible.tsx';
import type { Act } from '../live.ts';
import { Copy } from '../parts/copy.tsx';
import { Field } from '../parts/field.tsx';
import { Problem } from '../parts/notes.tsx';

/** A client id of the person's own, with its secret where the vendor gave one, and what the vendor wants registered. */
export function ClientIdFields(props: {
  readonly act: Act;
  readonly redirectUri: string | null;
  onGiven(clientId: string, clientSecret: string | null): void;
}) {
  const { act, redirectUri } = props;
  const [clientId, setClientId] = useState('');
  const [secret, setSecret] = useState('');
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        if (clientId.trim() !== '') props.onGiven(clientId.trim(), secret === '' ? null : secret);
      }}
    >
      {redirectUri !== null && (
        <div className="copy-line">
          <span>
            <span className="quiet">Register this redirect address with it: </span>
            <code>
              <Visible text={redirectUri} />
            </code>
          </span>
          <Copy text={redirectUri} label="Copy the redirect address" />
        </div>
      )}
      <div className="fields">
        <Field label="Client id" value={clientId} isCode autoFocus onChange={setClientId} />
        <Field
          label="Client secret"
          value={secret}
          isSecret
          placeholder="only where the vendor gave one"
          onChange={setSecret}
        />
      </div>
      <Problem message={act.problem} />
      <div className="actions">
        <Button type="submit" className="button accent" isDisabled={act.busy || clientId.trim() === ''}>
          {act.busy ? 'Working…' : 'Continue'}
        </Button>
      </div>
    </form>
  );
}
