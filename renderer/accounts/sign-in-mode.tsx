import { useState } from 'react';
import { Button, Checkbox } from 'react-aria-components';
import type { SignInMode, TokenAuth } from '../../shared/connections.ts';
import type { UpstreamView } from '../../shared/model.ts';
import { Visible } from '../card/visible.tsx';
import { useAct, useBridge, useLive } from '../live.ts';
import { Choice } from '../parts/choice.tsx';
import { Copy } from '../parts/copy.tsx';
import { Field } from '../parts/field.tsx';
import { Problem } from '../parts/notes.tsx';
import { RedirectInputs } from './redirect-fields.tsx';
import {
  formOf,
  inputOf,
  isComplete,
  keepsSecret,
  modesOf,
  presetFor,
  type SignInForm,
  withPreset,
} from './sign-in-form.ts';
import { MODES } from './words.ts';

const ABOUT: Readonly<Record<SignInMode, string>> = {
  none: 'Nobody signs in: calls go out as they are.',
  api_key: 'A key that you get from the vendor. Each account has its own; you paste it when you connect one.',
  mcp_oauth: 'The server says where to sign in, and Gatehouse finds the rest. Leave everything empty unless it asks.',
  oauth: 'For vendors from before MCP: you register a client there and give its addresses here.',
  client_credentials: 'No person and no browser: the client itself is the account.',
};

/** How accounts sign in at one upstream. A kept secret is a placeholder, and saving unchanged keeps it. */
export function SignInModeForm(props: {
  readonly upstream: UpstreamView;
  /** Chosen for the person, who came here because the mode so far did not work. */
  readonly mode?: SignInMode;
  readonly save: string;
  onClose(): void;
  onSaved(): void;
}) {
  const { upstream } = props;
  const bridge = useBridge();
  const act = useAct();
  const presets = useLive('presetsList', {}, []).data ?? [];
  const [typed, setTyped] = useState<SignInForm | null>(null);
  const before = formOf(upstream.signIn, upstream.transport);
  const proposed = props.mode === 'oauth' ? presetFor(presets, upstream.transport) : null;
  const start = props.mode === undefined ? before : { ...before, kind: props.mode };
  const form = typed ?? (proposed === null ? start : withPreset(start, proposed));
  const set = (part: Partial<SignInForm>) => setTyped({ ...form, ...part });
  const modes = modesOf(upstream.transport);

  const save = async () => {
    const input = { upstream: upstream.id, ...inputOf(form, upstream.signIn) };
    if (await act.run(() => bridge.request('upstreamSignIn', input))) props.onSaved();
  };

  return (
    <form
      className="form sign-in-form"
      aria-label={`How accounts sign in at ${upstream.name}`}
      onSubmit={(event) => {
        event.preventDefault();
        if (isComplete(form) && !act.busy) void save();
      }}
    >
      <Choice
        label="How accounts sign in"
        value={form.kind}
        values={Object.fromEntries(modes.map((mode) => [mode, MODES[mode]])) as Partial<Record<SignInMode, string>>}
        onChange={(kind) => set({ kind })}
      />
      <p className="quiet">{ABOUT[form.kind]}</p>
      {form.kind === 'api_key' && <KeyFields form={form} isProcess={upstream.transport.kind === 'stdio'} onSet={set} />}
      {form.kind === 'oauth' && (
        <OauthFields
          form={form}
          presets={presets}
          onSet={set}
          onPreset={(name) => {
            const preset = presets.find((one) => one.name === name);
            if (preset !== undefined) setTyped(withPreset(form, preset));
          }}
        />
      )}
      {form.kind === 'client_credentials' && (
        <Field
          label="Token address"
          value={form.tokenUrl}
          isCode
          placeholder="found as MCP OAuth finds it"
          onChange={(tokenUrl) => set({ tokenUrl })}
        />
      )}
      {(form.kind === 'mcp_oauth' || form.kind === 'oauth' || form.kind === 'client_credentials') && (
        <ClientFields form={form} keeps={keepsSecret(form, upstream.signIn)} onSet={set} />
      )}
      {form.kind === 'mcp_oauth' && (
        <Field
          label="Authorization server"
          value={form.issuer}
          isCode
          placeholder="as the server says"
          hint="Which of several; empty: the only one, or you are asked."
          onChange={(issuer) => set({ issuer })}
        />
      )}
      {(form.kind === 'mcp_oauth' || form.kind === 'oauth') && (
        <RedirectInputs
          host={form.redirectHost}
          port={form.redirectPort}
          onHost={(redirectHost) => set({ redirectHost })}
          onPort={(redirectPort) => set({ redirectPort })}
        />
      )}
      {form.kind === 'mcp_oauth' && (
        <Checkbox className="check" isSelected={form.allowNoPkce} onChange={(allowNoPkce) => set({ allowNoPkce })}>
          <span className="tick" aria-hidden="true" />
          Sign in although its metadata does not promise PKCE (S256)
        </Checkbox>
      )}
      <Problem message={act.problem} />
      <div className="actions">
        <Button className="button small" onPress={props.onClose}>
          Cancel
        </Button>
        <Button type="submit" className="button small accent" isDisabled={act.busy || !isComplete(form)}>
          {act.busy ? 'Waiting…' : props.save}
        </Button>
      </div>
    </form>
  );
}

interface Part {
  readonly form: SignInForm;
  onSet(part: Partial<SignInForm>): void;
}

function KeyFields({ form, isProcess, onSet }: Part & { readonly isProcess: boolean }) {
  if (isProcess) {
    return (
      <Field
        label="Environment entry"
        value={form.keyName}
        isCode
        placeholder="GITHUB_TOKEN"
        hint="The process is started with the key in it."
        onChange={(keyName) => onSet({ keyName, keyIn: 'environment' })}
      />
    );
  }
  return (
    <div className="fields">
      <Choice
        label="The key goes into"
        value={form.keyIn}
        values={{ header: 'a header', query: 'the query of the URL' }}
        onChange={(keyIn) =>
          onSet(
            keyIn === 'query' ? { keyIn, keyName: 'key' } : { keyIn, keyName: 'Authorization', keyPrefix: 'Bearer ' },
          )
        }
      />
      <Field
        label={form.keyIn === 'query' ? 'Parameter' : 'Header'}
        value={form.keyName}
        isCode
        onChange={(keyName) => onSet({ keyName })}
      />
      {form.keyIn === 'header' && (
        <Field
          label="Before the key"
          value={form.keyPrefix}
          isCode
          placeholder="nothing"
          onChange={(keyPrefix) => onSet({ keyPrefix })}
        />
      )}
    </div>
  );
}

function OauthFields({
  form,
  presets,
  onSet,
  onPreset,
}: Part & {
  readonly presets: readonly { readonly name: string; readonly authorizeUrl: string; readonly registerAt: string }[];
  onPreset(name: string): void;
}) {
  const chosen = presets.find(({ authorizeUrl }) => authorizeUrl === form.authorizeUrl);
  return (
    <>
      {presets.length > 0 && (
        <label className="filter vendor">
          Vendor
          <select value={chosen?.name ?? ''} onChange={(event) => onPreset(event.target.value)}>
            <option value="">another one</option>
            {presets.map(({ name }) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
      )}
      {chosen !== undefined && (
        <div className="copy-line">
          <span>
            <span className="quiet">Register a client at </span>
            <code>
              <Visible text={chosen.registerAt} />
            </code>
            <span className="quiet"> with the redirect address below.</span>
          </span>
          <Copy text={chosen.registerAt} label="Copy where to register" />
        </div>
      )}
      <Field
        label="Authorize address"
        value={form.authorizeUrl}
        isCode
        placeholder="https://vendor.example/oauth/authorize"
        onChange={(authorizeUrl) => onSet({ authorizeUrl })}
      />
      <Field
        label="Token address"
        value={form.tokenUrl}
        isCode
        placeholder="https://vendor.example/oauth/token"
        onChange={(tokenUrl) => onSet({ tokenUrl })}
      />
      <Field
        label="Revocation address"
        value={form.revokeUrl}
        isCode
        placeholder="none"
        onChange={(revokeUrl) => onSet({ revokeUrl })}
      />
      <Checkbox className="check" isSelected={form.pkce} onChange={(pkce) => onSet({ pkce })}>
        <span className="tick" aria-hidden="true" />
        Use PKCE (S256); turn it off only for a vendor that refuses it
      </Checkbox>
    </>
  );
}

const TOKEN_AUTH: Readonly<Record<TokenAuth, string>> = {
  auto: 'as it says',
  basic: 'in a header',
  post: 'in the body',
  none: 'not at all',
};

function ClientFields({ form, keeps, onSet }: Part & { readonly keeps: boolean }) {
  const isOptional = form.kind === 'mcp_oauth';
  return (
    <>
      <div className="fields">
        <Field
          label="Client id"
          value={form.clientId}
          isCode
          placeholder={isOptional ? 'Gatehouse gets one itself' : ''}
          onChange={(clientId) => onSet({ clientId })}
        />
        <Field
          label="Client secret"
          value={form.secret}
          isSecret
          placeholder={keeps ? 'kept; type to replace it' : form.kind === 'client_credentials' ? '' : 'none'}
          onChange={(secret) => onSet({ secret, dropsSecret: false })}
        />
      </div>
      {keeps && form.secret === '' && (
        <p>
          <Button className="link" onPress={() => onSet({ dropsSecret: true })}>
            Forget the secret that is kept
          </Button>
        </p>
      )}
      <Field
        label="Scopes"
        value={form.scopes}
        isCode
        placeholder={isOptional ? 'as the server asks' : 'none named'}
        hint="With spaces between."
        onChange={(scopes) => onSet({ scopes })}
      />
      {form.kind !== 'mcp_oauth' && (
        <Choice
          label="The client proves itself"
          value={form.tokenAuth}
          values={TOKEN_AUTH}
          onChange={(tokenAuth) => onSet({ tokenAuth })}
        />
      )}
    </>
  );
}
