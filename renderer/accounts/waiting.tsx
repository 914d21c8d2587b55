import { useEffect, useRef } from 'react';
import { Button } from 'react-aria-components';
import type { SignInView } from '../../shared/connections.ts';
import { Visible } from '../card/visible.tsx';
import { useAct, useBridge } from '../live.ts';
import { Copy } from '../parts/copy.tsx';
import { Problem } from '../parts/notes.tsx';
import { Scopes } from './scopes.tsx';
import type { Starting } from './starting.ts';
import { hostOf } from './words.ts';

/** The vendor's page is open, or one click away; in the dashboard the browser is the one that shows this. */
export function WaitingForBrowser({ signIn, starting }: { readonly signIn: SignInView; readonly starting: Starting }) {
  const bridge = useBridge();
  const act = useAct();
  const { id, link } = signIn;
  const host = link === null ? null : hostOf(link);
  const actions = useRef<HTMLDivElement>(null);
  const isDashboard = bridge.surface === 'dashboard';

  // The click on Connect was for this: the desktop opens the page as soon as its address is known, once.
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each sign-in, whatever else changes.
  useEffect(() => {
    if (host === null || isDashboard || !starting.takeClick(id)) return;
    void act.run(() => bridge.request('signInOpen', { signIn: id }));
  }, [id, host, isDashboard]);

  // Whoever pressed Connect by keyboard goes on from here: the button pressed is gone.
  useEffect(() => {
    if (document.activeElement === document.body) actions.current?.querySelector<HTMLElement>('.accent')?.focus();
  }, []);

  if (link === null || host === null) return <p className="problem">The vendor gave no address to go to.</p>;
  return (
    <>
      <p>
        Sign in at <strong>{<Visible text={host} />}</strong> and allow Gatehouse there. This page goes on by itself.
      </p>
      <div ref={actions} className="actions">
        {isDashboard ? (
          <a className="button accent large" href={link} target="_blank" rel="noreferrer noopener">
            Open <Visible text={host} />
          </a>
        ) : (
          <Button
            className="button accent large"
            isDisabled={act.busy}
            onPress={() => void act.run(() => bridge.request('signInOpen', { signIn: id }))}
          >
            Open <Visible text={host} />
          </Button>
        )}
      </div>
      <div className="copy-line link-line">
        <code>
          <Visible text={link} />
        </code>
        <Copy text={link} label="Copy the link">
          Copy link
        </Copy>
      </div>
      <Problem message={act.problem} />
      <dl className="facts tight">
        {signIn.scopes !== null && signIn.scopes.length > 0 && (
          <div>
            <dt>Asks for</dt>
            <dd>
              <Scopes scopes={signIn.scopes} fresh={signIn.newScopes} />
            </dd>
          </div>
        )}
        {signIn.redirectUri !== null && (
          <div>
            <dt>Comes back to</dt>
            <dd>
              <code>
                <Visible text={signIn.redirectUri} />
              </code>
            </dd>
          </div>
        )}
      </dl>
    </>
  );
}
