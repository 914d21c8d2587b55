import { useState } from 'react';
import { Button } from 'react-aria-components';
import type { RequestInput } from '../../shared/api.ts';
import type { RedirectSetting, SignIn, SignInView } from '../../shared/connections.ts';
import type { UpstreamView } from '../../shared/model.ts';
import { visibleString } from '../card/escapes.ts';
import { Visible } from '../card/visible.tsx';
import { useAct, useBridge } from '../live.ts';
import { Copy } from '../parts/copy.tsx';
import { Problem } from '../parts/notes.tsx';
import { ClientIdFields } from './client-id.tsx';
import { RedirectFields } from './redirect-fields.tsx';
import { mutable } from './sign-in-form.ts';
import type { Following } from './sign-in-panel.tsx';
import type { Wanted } from './starting.ts';
import { UrlField } from './url-field.tsx';
import { ACTS } from './words.ts';

/** The one thing to do about a sign-in that failed, as a button that does it and signs in again. */
export function NextStepAct({ signIn, upstream, starting, onClassicOauth, onKey }: Following) {
  const bridge = useBridge();
  const act = useAct();
  const [open, setOpen] = useState(false);
  const { next } = signIn;
  if (next === null) return null;

  const again = () => starting.start(wantedAgain(signIn));
  const changeMode = async (change: (signIn: SignIn) => RequestInput<'upstreamSignIn'>['signIn'], secret?: string) => {
    const input = { upstream: upstream.id, signIn: change(upstream.signIn) };
    const whole = secret === undefined ? input : { ...input, clientSecret: secret };
    if (await act.run(() => bridge.request('upstreamSignIn', whole))) await again();
  };
  const changeUpstream = async (change: Omit<RequestInput<'upstreamChange'>, 'upstream'>) => {
    if (await act.run(() => bridge.request('upstreamChange', { upstream: upstream.id, ...change }))) await again();
  };

  const press = () => {
    switch (next.act) {
      case 'paste_client_id':
      case 'check_url':
      case 'set_redirect':
        return setOpen(true);
      case 'use_classic_oauth':
        return onClassicOauth();
      case 'paste_key':
        return onKey();
      case 'allow_host':
        return void changeUpstream({ allowPrivate: true });
      case 'allow_no_pkce':
        return void changeMode((before) =>
          before.kind === 'mcp_oauth' ? { ...mutable(before), allowNoPkce: true } : mutable(before),
        );
      case 'try_again':
      case 'unlock_keychain':
      case 'ask_vendor':
        return void again();
    }
  };

  return (
    <div className="next-step">
      <p>
        <strong>Next: </strong>
        <Visible text={next.text} />
      </p>
      {!open && (
        <div className="actions">
          {next.act === 'ask_vendor' ? (
            <Copy className="button accent" text={asText(signIn)} label="Copy what happened">
              {ACTS.ask_vendor}
            </Copy>
          ) : (
            <Button className="button accent" isDisabled={act.busy || starting.act.busy} onPress={press}>
              {act.busy ? 'Waiting…' : ACTS[next.act]}
            </Button>
          )}
          {!['try_again', 'unlock_keychain', 'paste_key'].includes(next.act) && (
            <Button className="button" isDisabled={act.busy || starting.act.busy} onPress={() => void again()}>
              Try again
            </Button>
          )}
        </div>
      )}
      {open && next.act === 'paste_client_id' && (
        <ClientIdFields
          act={act}
          redirectUri={signIn.redirectUri}
          onGiven={(clientId, secret) =>
            void changeMode(
              (before) =>
                before.kind === 'none' || before.kind === 'api_key'
                  ? mutable(before)
                  : { ...mutable(before), clientId },
              secret ?? undefined,
            )
          }
        />
      )}
      {open && next.act === 'set_redirect' && (
        <RedirectFields
          redirect={redirectOf(upstream)}
          isBusy={act.busy}
          onSet={(redirect) =>
            void changeMode((before) =>
              before.kind === 'mcp_oauth' || before.kind === 'oauth'
                ? { ...mutable(before), redirect }
                : mutable(before),
            )
          }
        />
      )}
      {open && next.act === 'check_url' && upstream.transport.kind === 'http' && (
        <UrlField
          url={upstream.transport.url}
          isBusy={act.busy}
          onSet={(url) => {
            if (upstream.transport.kind !== 'http') return;
            const secretHeaders = [...upstream.transport.secretHeaders];
            void changeUpstream({ transport: { kind: 'http', url, secretHeaders } });
          }}
        />
      )}
      <Problem message={act.problem ?? starting.act.problem} />
    </div>
  );
}

/** The same account once more. */
function wantedAgain({ connectionId, label }: SignInView): Wanted {
  return connectionId === null ? { label } : { connection: connectionId };
}

function redirectOf({ signIn }: UpstreamView): RedirectSetting {
  return signIn.kind === 'mcp_oauth' || signIn.kind === 'oauth' ? signIn.redirect : { host: '127.0.0.1', port: null };
}

/** For a message to the vendor: what was done and answered, without a secret, since a trace holds none. */
function asText({ upstream, code, message, steps }: SignInView): string {
  const lines = steps.map(({ name, outcome, request, status, message: said }) =>
    [
      name,
      outcome,
      ...(request === null ? [] : [`${request.method} ${request.url}`]),
      ...(status === null ? [] : [status]),
      said,
    ].join(' · '),
  );
  return visibleString([`Sign-in to ${upstream} failed: ${code ?? 'unknown'}`, message ?? '', ...lines].join('\n'));
}
