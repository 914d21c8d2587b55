import { useState } from 'react';
import { Button } from 'react-aria-components';
import type { RedirectSetting } from '../../shared/connections.ts';
import { Choice } from '../parts/choice.tsx';
import { Field } from '../parts/field.tsx';
import { portOf, portProblem, portText } from './ports.ts';

/** Where the vendor sends the browser back to: for vendors that want it registered, or know `localhost` alone. */
export function RedirectFields(props: {
  readonly redirect: RedirectSetting;
  readonly isBusy: boolean;
  onSet(redirect: RedirectSetting): void;
}) {
  const [host, setHost] = useState(props.redirect.host);
  const [port, setPort] = useState(portText(props.redirect));
  const problem = portProblem(port);
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        if (problem === null) props.onSet({ host, port: portOf(port) });
      }}
    >
      <RedirectInputs host={host} port={port} onHost={setHost} onPort={setPort} />
      <div className="actions">
        <Button type="submit" className="button accent" isDisabled={props.isBusy || problem !== null}>
          {props.isBusy ? 'Waiting…' : 'Set and try again'}
        </Button>
      </div>
    </form>
  );
}

/** The two inputs alone, for the form that has them among others. */
export function RedirectInputs(props: {
  readonly host: RedirectSetting['host'];
  readonly port: string;
  onHost(host: RedirectSetting['host']): void;
  onPort(port: string): void;
}) {
  return (
    <div className="fields">
      <Choice
        label="Redirect host"
        value={props.host}
        values={{ '127.0.0.1': '127.0.0.1', localhost: 'localhost' }}
        onChange={props.onHost}
      />
      <Field
        label="Redirect port"
        value={props.port}
        placeholder="any"
        hint={`http://${props.host}:${portOf(props.port) ?? '<port>'}/callback; empty: a free one, remembered.`}
        problem={portProblem(props.port)}
        onChange={props.onPort}
      />
    </div>
  );
}
