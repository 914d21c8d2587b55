import { useState } from 'react';
import { Button, Label, Radio, RadioGroup } from 'react-aria-components';
import type { SignInView } from '../../shared/connections.ts';
import { Visible } from '../card/visible.tsx';
import { useAct, useBridge } from '../live.ts';
import { Problem } from '../parts/notes.tsx';
import { ClientIdFields } from './client-id.tsx';
import { Scopes } from './scopes.tsx';

/* What a sign-in asks of the person before it goes on. */

interface Asked {
  readonly signIn: SignInView;
  onAnswered(): void;
}

/** The server names several authorization servers: whom to give the account to is the person's to say. */
export function ChooseServer({ signIn, onAnswered }: Asked) {
  const bridge = useBridge();
  const act = useAct();
  const [issuer, setIssuer] = useState<string | null>(null);
  const choose = async () => {
    if (issuer === null) return;
    onAnswered();
    await act.run(() => bridge.request('signInChoose', { signIn: signIn.id, issuer }));
  };
  return (
    <>
      <RadioGroup className="servers" value={issuer} onChange={setIssuer}>
        <Label>
          <Visible text={signIn.upstream} /> takes accounts of several servers. Where is yours?
        </Label>
        {signIn.servers.map((server) => (
          <Radio key={server} value={server} className="server">
            <span className="radio" aria-hidden="true" />
            <code>
              <Visible text={server} />
            </code>
          </Radio>
        ))}
      </RadioGroup>
      <Problem message={act.problem} />
      <div className="actions">
        <Button className="button accent" isDisabled={act.busy || issuer === null} onPress={() => void choose()}>
          Continue there
        </Button>
      </div>
    </>
  );
}

/** The vendor registers no client by itself: one that the person made there is pasted here. */
export function GiveClientId({ signIn, onAnswered, onClassicOauth }: Asked & { onClassicOauth(): void }) {
  const bridge = useBridge();
  const act = useAct();
  return (
    <>
      <p>
        <Visible text={signIn.message ?? 'This vendor gives out no client ids by itself.'} />
      </p>
      <p>
        <strong>Next: </strong>
        <Visible text={signIn.next?.text ?? 'Register a client with the vendor and paste its id here; once.'} />
      </p>
      <ClientIdFields
        act={act}
        redirectUri={signIn.redirectUri}
        onGiven={(clientId, clientSecret) => {
          onAnswered();
          void act.run(() => bridge.request('signInClient', { signIn: signIn.id, clientId, clientSecret }));
        }}
      />
      <p className="quiet">
        Its server is older than MCP?{' '}
        <Button className="link" onPress={onClassicOauth}>
          Use classic OAuth…
        </Button>
      </p>
    </>
  );
}

/** More than the account had before: shown before it is asked for. */
export function ConfirmScopes({ signIn, onAnswered }: Asked) {
  const bridge = useBridge();
  const act = useAct();
  const fresh = signIn.newScopes.length;
  return (
    <>
      <p>
        “<Visible text={signIn.label} />” would be allowed{' '}
        <strong>{fresh === 1 ? '1 thing more' : `${fresh} things more`}</strong> than now. Nothing was asked for yet.
      </p>
      <Scopes scopes={signIn.scopes ?? []} fresh={signIn.newScopes} />
      <Problem message={act.problem} />
      <div className="actions">
        <Button
          className="button accent"
          isDisabled={act.busy}
          onPress={() => {
            onAnswered();
            void act.run(() => bridge.request('signInConfirm', { signIn: signIn.id }));
          }}
        >
          Ask for {fresh === 1 ? 'it' : 'them'}
        </Button>
      </div>
    </>
  );
}
