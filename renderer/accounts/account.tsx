import { useState } from 'react';
import { Button } from 'react-aria-components';
import type { ConnectionView, SignInMode } from '../../shared/connections.ts';
import { Visible } from '../card/visible.tsx';
import { useAct, useBridge, useNow } from '../live.ts';
import { ConfirmButton } from '../parts/confirm.tsx';
import { Field } from '../parts/field.tsx';
import { Problem } from '../parts/notes.tsx';
import { dateAndTime, timeAgo } from '../parts/time.ts';
import { Scopes } from './scopes.tsx';
import { STATES } from './words.ts';

interface Shown {
  readonly account: ConnectionView;
  /** How accounts sign in there now; this one may have signed in otherwise. */
  readonly mode: SignInMode;
  /** How many there are at its upstream: the only one needs no choice. */
  readonly siblings: number;
  /** A sign-in of it goes on. */
  readonly isSigningIn: boolean;
  readonly isBusy: boolean;
  /** Signs in again, or asks for a new key where that is the mode. */
  onAgain(): void;
}

/** One account: how it is, who gave it, what it may do, and everything that can be done about it. */
export function Account({ account, mode, siblings, isSigningIn, isBusy, onAgain }: Shown) {
  const bridge = useBridge();
  const act = useAct();
  const [renaming, setRenaming] = useState(false);
  const [note, setNote] = useState<string | null>(null);
  const { id, state } = account;
  const [words, colour] = STATES[state];
  const again = againWords(account, mode);
  const end = (name: 'connectionSignOut' | 'connectionRemove') =>
    void act.run(async () => {
      const answer = await bridge.request(name, { connection: id });
      if (answer.kind === 'done') setNote(answer.note);
      return answer;
    });
  return (
    <li className={`account account-${state}`} aria-label={account.label}>
      <div className="account-head">
        <strong className="account-label">
          <Visible text={account.label} />
        </strong>
        <span className={`status status-${colour}`}>
          <span className="dot" aria-hidden="true" />
          {words}
        </span>
        {account.isDefault && siblings > 1 && <span className="badge">default</span>}
        <span className="grow" />
        {again.isUrgent && !isSigningIn && (
          <Button className="button small accent" isDisabled={isBusy} onPress={onAgain}>
            {again.words}
          </Button>
        )}
      </div>
      {account.reason !== null && (
        <p className={state === 'reconnect' ? 'problem' : 'note'}>
          <Visible text={account.reason} />
        </p>
      )}
      <AccountFacts account={account} />
      <Problem message={act.problem} />
      {note !== null && (
        <p className="note" role="status">
          <Visible text={note} />
        </p>
      )}
      {renaming ? (
        <Rename account={account} onClose={() => setRenaming(false)} />
      ) : (
        <div className="account-acts">
          {!again.isUrgent && (
            <Button className="link" isDisabled={isBusy || isSigningIn} onPress={onAgain}>
              {again.words}
            </Button>
          )}
          <Button className="link" onPress={() => setRenaming(true)}>
            Rename
          </Button>
          {siblings > 1 && !account.isDefault && (
            <Button
              className="link"
              isDisabled={act.busy}
              onPress={() => void act.run(() => bridge.request('connectionDefault', { connection: id }))}
            >
              Make default
            </Button>
          )}
          {state !== 'signed_out' && (
            <ConfirmButton
              className="link"
              label="Sign out"
              question="Its access ends here and at the vendor. The name stays, and one click signs in again."
              confirm="Sign out"
              isDisabled={act.busy}
              onConfirm={() => end('connectionSignOut')}
            />
          )}
          <ConfirmButton
            className="link"
            label="Remove"
            question="It is signed out and forgotten."
            confirm="Remove"
            isDisabled={act.busy}
            onConfirm={() => end('connectionRemove')}
          />
        </div>
      )}
    </li>
  );
}

/** What signing in again is called here, and whether it is what the person should do now. */
function againWords(
  { state }: ConnectionView,
  mode: SignInMode,
): { readonly words: string; readonly isUrgent: boolean } {
  if (mode === 'api_key') return { words: 'Replace key…', isUrgent: state === 'reconnect' || state === 'signed_out' };
  switch (state) {
    case 'signed_out':
      return { words: 'Sign in', isUrgent: true };
    case 'more_scopes':
      return { words: 'Allow more…', isUrgent: true };
    case 'reconnect':
      return { words: 'Reconnect', isUrgent: true };
    case 'connected':
    case 'locked':
      return { words: 'Reconnect', isUrgent: false };
  }
}

function AccountFacts({ account }: { readonly account: ConnectionView }) {
  const now = useNow();
  const { state, issuer, scopes, asksFor, expiresAt, renews, lastUsedAt, connectedAt } = account;
  const wanted = asksFor?.filter((scope) => scopes?.includes(scope) !== true) ?? [];
  return (
    <dl className="facts tight account-facts">
      {issuer !== null && (
        <Fact name="Given by">
          <code>
            <Visible text={issuer} />
          </code>
        </Fact>
      )}
      {scopes !== null && scopes.length > 0 && (
        <Fact name="Scopes">
          <Scopes scopes={scopes} />
        </Fact>
      )}
      {wanted.length > 0 && (
        <Fact name="Wants too">
          <Scopes scopes={wanted} fresh={wanted} />
        </Fact>
      )}
      {state !== 'signed_out' && state !== 'reconnect' && (renews || expiresAt !== null) && (
        <Fact name="Renewal">{renewal(expiresAt, renews, now)}</Fact>
      )}
      <Fact name="Used">
        {lastUsedAt === null ? 'not yet' : timeAgo(lastUsedAt, now)}
        {connectedAt !== null && <span className="quiet"> · connected {shortAgo(connectedAt, now)}</span>}
      </Fact>
    </dl>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: React.ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** The day is enough where it was not today. */
function shortAgo(at: number, now: number): string {
  return now - at < 24 * 3_600_000 ? timeAgo(at, now) : new Date(at).toLocaleDateString();
}

function renewal(expiresAt: number | null, renews: boolean, now: number): string {
  if (!renews) return expiresAt === null ? 'none needed' : `not possible: sign in again by ${dateAndTime(expiresAt)}`;
  const minutes = expiresAt === null ? 0 : Math.ceil((expiresAt - now) / 60_000);
  if (expiresAt === null || minutes <= 1) return 'by itself, with the next call';
  return minutes < 120 ? `by itself, within ${minutes} min` : `by itself, before ${dateAndTime(expiresAt)}`;
}

function Rename({ account, onClose }: { readonly account: ConnectionView; onClose(): void }) {
  const bridge = useBridge();
  const act = useAct();
  const [label, setLabel] = useState(account.label);
  const isSame = label.trim() === account.label || label.trim() === '';
  const save = async () => {
    if (await act.run(() => bridge.request('connectionRename', { connection: account.id, label: label.trim() })))
      onClose();
  };
  return (
    <form
      className="form connect-form"
      aria-label={`Rename ${account.label}`}
      onSubmit={(event) => {
        event.preventDefault();
        if (!isSame) void save();
      }}
    >
      <Field label="Your name for the account" value={label} autoFocus maxLength={40} onChange={setLabel} />
      <Problem message={act.problem} />
      <div className="actions">
        <Button className="button small" onPress={onClose}>
          Keep the name
        </Button>
        <Button type="submit" className="button small accent" isDisabled={act.busy || isSame}>
          Rename
        </Button>
      </div>
    </form>
  );
}
