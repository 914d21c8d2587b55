import { useEffect, useRef, useState } from 'react';
import { Button } from 'react-aria-components';
import type { ConnectionView, SignInView } from '../../shared/connections.ts';
import type { UpstreamView } from '../../shared/model.ts';
import { Visible } from '../card/visible.tsx';
import { useBridge } from '../live.ts';
import { Problem } from '../parts/notes.tsx';
import { Account } from './account.tsx';
import { ConnectForm } from './connect-form.tsx';
import { Defaults } from './defaults.tsx';
import { SignInModeForm } from './sign-in-mode.tsx';
import { SignInPanel } from './sign-in-panel.tsx';
import { useStarting } from './starting.ts';
import { TraceDisclosure } from './trace.tsx';

interface Shown {
  readonly upstream: UpstreamView;
  /** Of this upstream. */
  readonly accounts: readonly ConnectionView[];
  /** Of this upstream, newest first. */
  readonly signIns: readonly SignInView[];
  /** The form for how accounts sign in is open. */
  readonly isSettingMode: boolean;
  onSettingMode(open: boolean): void;
  /** Somebody was led here: the button that connects takes the focus once there is one. */
  readonly isWanted: boolean;
}

type Form =
  | { readonly kind: 'connect'; readonly again: ConnectionView | null; readonly label: string }
  | { readonly kind: 'classic' };

/** The accounts of one upstream, what is signing in, and how the last sign-in went. */
export function Accounts(shown: Shown) {
  const { upstream, accounts, signIns, isSettingMode, onSettingMode } = shown;
  const bridge = useBridge();
  const starting = useStarting(upstream.id);
  const [form, setForm] = useState<Form | null>(null);
  const [dismissed, setDismissed] = useState<ReadonlySet<string>>(new Set());
  const followed = useFollowed(signIns);
  const section = useRef<HTMLElement>(null);
  useLeadHere(section, shown.isWanted && (upstream.needsSignIn || accounts.length > 0));

  const mode = upstream.signIn.kind;
  const panels = signIns.filter(
    (signIn, index) =>
      !dismissed.has(signIn.id) &&
      (isUnderWay(signIn) ||
        (index === 0 && signIn.state === 'failed' && !isMended(signIn, accounts)) ||
        (index === 0 && signIn.state === 'connected' && followed.has(signIn.id) && isThere(signIn, accounts))),
  );
  const isBusy = starting.act.busy;
  const last = signIns[0];
  if (mode === 'none' && accounts.length === 0 && panels.length === 0 && !isSettingMode) return null;

  const connect = (again: ConnectionView | null) => {
    if (mode === 'api_key' || (again === null && accounts.length > 0)) setForm({ kind: 'connect', again, label: '' });
    else void starting.start(again === null ? {} : { connection: again.id });
  };
  const signInAgain = async (before: SignInView) => {
    // What still waits for an answer in the mode of before would wait on.
    if (isUnderWay(before)) await bridge.request('signInCancel', { signIn: before.id });
    const known = accounts.find(({ label }) => label === before.label);
    await starting.start(known === undefined ? { label: before.label } : { connection: known.id });
  };

  return (
    <section ref={section} className="accounts" aria-label={`Accounts of ${upstream.name}`}>
      {accounts.length === 0 && panels.length === 0 && form === null && mode !== 'none' && (
        <FirstAccount upstream={upstream} isBusy={isBusy} onConnect={() => connect(null)} />
      )}
      {accounts.length > 0 && (
        <>
          <ul className="account-list" aria-label="Accounts">
            {accounts.map((account) => (
              <Account
                key={account.id}
                account={account}
                mode={mode}
                siblings={accounts.length}
                isSigningIn={panels.some((one) => isUnderWay(one) && one.connectionId === account.id)}
                isBusy={isBusy}
                onAgain={() => connect(account)}
              />
            ))}
          </ul>
          {accounts.length > 1 && <Defaults upstream={upstream} accounts={accounts} />}
        </>
      )}
      {panels.map((signIn) => (
        <SignInPanel
          key={signIn.id}
          signIn={signIn}
          upstream={upstream}
          starting={starting}
          onClassicOauth={() => setForm({ kind: 'classic' })}
          onKey={() =>
            setForm({
              kind: 'connect',
              again: accounts.find(({ id }) => id === signIn.connectionId) ?? null,
              label: signIn.label,
            })
          }
          onDismiss={() => setDismissed((before) => new Set([...before, signIn.id]))}
        />
      ))}
      {form?.kind === 'connect' && (
        <ConnectForm
          upstream={upstream}
          accounts={accounts}
          again={form.again}
          label={form.label}
          starting={starting}
          onClose={() => setForm(null)}
        />
      )}
      {form?.kind === 'classic' && (
        <SignInModeForm
          upstream={upstream}
          mode="oauth"
          save="Save and connect"
          onClose={() => setForm(null)}
          onSaved={() => {
            setForm(null);
            if (last !== undefined) void signInAgain(last);
          }}
        />
      )}
      {isSettingMode && (
        <SignInModeForm
          upstream={upstream}
          save="Save"
          onClose={() => onSettingMode(false)}
          onSaved={() => onSettingMode(false)}
        />
      )}
      {form === null && panels.length === 0 && <Problem message={starting.act.problem} />}
      {accounts.length > 0 && form === null && mode !== 'none' && !panels.some(isUnderWay) && (
        <div className="actions">
          <Button className="button small" isDisabled={isBusy} onPress={() => connect(null)}>
            Connect another account
          </Button>
        </div>
      )}
      {last !== undefined && panels.length === 0 && (
        <TraceDisclosure label={lastWords(last)} steps={last.steps} startedAt={last.startedAt} />
      )}
    </section>
  );
}

/** No account yet: what to press, and how urgent it is. */
function FirstAccount(props: { readonly upstream: UpstreamView; readonly isBusy: boolean; onConnect(): void }) {
  const { upstream } = props;
  const button = (
    <Button
      className={upstream.needsSignIn ? 'button accent connect' : 'button small connect'}
      isDisabled={props.isBusy}
      onPress={props.onConnect}
    >
      {props.isBusy ? 'Working…' : 'Connect account'}
    </Button>
  );
  // Whether it wants one is known when it has answered.
  if (!upstream.needsSignIn && upstream.status === 'starting') return null;
  if (!upstream.needsSignIn) {
    return (
      <div className="no-account">
        <span className="quiet grow">No account connected; it has not asked for one.</span>
        {button}
      </div>
    );
  }
  return (
    <div className="note strip needs-account">
      <p>
        <strong>
          <Visible text={upstream.name} /> needs an account.
        </strong>{' '}
        Its tools are yours as soon as you sign in.
      </p>
      {button}
    </div>
  );
}

function isUnderWay({ state }: SignInView): boolean {
  return state !== 'connected' && state !== 'failed' && state !== 'cancelled';
}

/** It failed, and the account works all the same by now. */
function isMended(signIn: SignInView, accounts: readonly ConnectionView[]): boolean {
  return accounts.some(
    (account) =>
      (account.id === signIn.connectionId || account.label === signIn.label) &&
      account.state === 'connected' &&
      (account.connectedAt ?? 0) > signIn.startedAt,
  );
}

/** The account that it made is still connected. */
function isThere({ connectionId }: SignInView, accounts: readonly ConnectionView[]): boolean {
  return accounts.some(({ id, state }) => id === connectionId && (state === 'connected' || state === 'more_scopes'));
}

function lastWords({ label, state, code }: SignInView): string {
  const ended = state === 'failed' ? `failed${code === null ? '' : ` (${code})`}` : state;
  return `Last sign-in, “${label}”: ${ended}`;
}

/** The sign-ins that were under way while this was open: how they end is told, older successes are not. */
function useFollowed(signIns: readonly SignInView[]): ReadonlySet<string> {
  const [openedAt] = useState(() => Date.now());
  const seen = useRef(new Set<string>());
  for (const signIn of signIns) if (isUnderWay(signIn) || signIn.startedAt >= openedAt) seen.current.add(signIn.id);
  return seen.current;
}

/** Scrolls there and gives the focus to its first button, once. */
function useLeadHere(section: React.RefObject<HTMLElement | null>, isTime: boolean): void {
  const led = useRef(false);
  useEffect(() => {
    if (!isTime || led.current || section.current === null) return;
    led.current = true;
    section.current.scrollIntoView({ block: 'center' });
    section.current.querySelector<HTMLElement>('.button')?.focus();
  }, [isTime, section]);
}
