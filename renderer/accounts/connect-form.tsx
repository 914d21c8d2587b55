import { useState } from 'react';
import { Button } from 'react-aria-components';
import type { ConnectionView } from '../../shared/connections.ts';
import type { UpstreamView } from '../../shared/model.ts';
import { Field } from '../parts/field.tsx';
import { Problem } from '../parts/notes.tsx';
import type { Starting, Wanted } from './starting.ts';

/**
 * What must be typed before a sign-in starts: a label where there is an account already, and the key where that is the
 * mode. `again`: the account whose key is replaced.
 */
export function ConnectForm(props: {
  readonly upstream: UpstreamView;
  readonly accounts: readonly ConnectionView[];
  readonly again: ConnectionView | null;
  /** What was typed before, where a sign-in failed. */
  readonly label: string;
  readonly starting: Starting;
  onClose(): void;
}) {
  const { upstream, accounts, again, starting } = props;
  const [label, setLabel] = useState(props.label);
  const [key, setKey] = useState('');
  const needsKey = upstream.signIn.kind === 'api_key';
  const needsLabel = again === null && accounts.length > 0;
  const isTaken = accounts.some((account) => account.label.toLowerCase() === label.trim().toLowerCase());
  const isReady = (!needsKey || key !== '') && (!needsLabel || (label.trim() !== '' && !isTaken));

  const connect = async () => {
    const wanted: Wanted = {
      ...(again !== null ? { connection: again.id } : label.trim() === '' ? {} : { label: label.trim() }),
      ...(needsKey ? { secret: key } : {}),
    };
    if (await starting.start(wanted)) props.onClose();
  };

  return (
    <form
      className="form connect-form"
      aria-label={again === null ? 'Connect account' : `Replace the key of ${again.label}`}
      onSubmit={(event) => {
        event.preventDefault();
        if (isReady && !starting.act.busy) void connect();
      }}
    >
      <div className="fields">
        {again === null && (
          <Field
            label="Your name for the account"
            value={label}
            placeholder={needsLabel ? 'personal' : 'work; may stay empty'}
            autoFocus={needsLabel || !needsKey}
            maxLength={40}
            problem={isTaken ? 'There is an account of that name; reconnect that one, or take another name.' : null}
            onChange={setLabel}
          />
        )}
        {needsKey && (
          <Field
            label={again === null ? 'API key' : 'New API key'}
            value={key}
            isSecret
            autoFocus={!needsLabel}
            hint={`${whereItGoes(upstream)}. It is kept in the vault and never shown again.`}
            onChange={setKey}
          />
        )}
      </div>
      <Problem message={starting.act.problem} />
      <div className="actions">
        <Button className="button small" onPress={props.onClose}>
          Cancel
        </Button>
        <Button type="submit" className="button small accent" isDisabled={starting.act.busy || !isReady}>
          {starting.act.busy ? 'Working…' : 'Connect'}
        </Button>
      </div>
    </form>
  );
}

function whereItGoes({ signIn }: UpstreamView): string {
  if (signIn.kind !== 'api_key') return '';
  const { place } = signIn;
  if (place.in === 'environment') return `It goes into ${place.name} of the process`;
  return place.in === 'query' ? `It goes into ${place.name} of the URL` : `It goes into the header ${place.name}`;
}
