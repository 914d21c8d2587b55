import { useEffect, useState } from 'react';
import { Button } from 'react-aria-components';
import type { StatusView } from '../shared/model.ts';
import type { Connection } from './bridge.ts';
import { visibleString } from './card/escapes.ts';
import { Visible } from './card/visible.tsx';
import { BridgeContext, useLive } from './live.ts';
import { Copy } from './parts/copy.tsx';
import { LostSecrets } from './parts/lost-secrets.tsx';
import { PauseAll, PauseBanner } from './parts/pauses.tsx';
import { TrustBanner } from './parts/trusts.tsx';
import { ApprovalsScreen } from './screens/approvals.tsx';
import { AuditScreen } from './screens/audit.tsx';
import { ClientsScreen } from './screens/clients.tsx';
import { PolicyScreen } from './screens/policy.tsx';
import { SignedOut } from './screens/signed-out.tsx';
import { SinksScreen } from './screens/sinks.tsx';
import { ToolsScreen } from './screens/tools.tsx';
import { UpstreamsScreen } from './screens/upstreams.tsx';

const SCREENS = [
  ['approvals', 'Approvals'],
  ['tools', 'Tools'],
  ['upstreams', 'Upstreams'],
  ['audit', 'Audit'],
  ['sinks', 'Sinks'],
  ['clients', 'Clients'],
  ['policy', 'Policy'],
] as const;
type Screen = (typeof SCREENS)[number][0];

/** The main window and the dashboard: navigation, status, and one screen. */
export function App({ connection }: { readonly connection: Connection }) {
  const [signedOut, setSignedOut] = useState(false);
  useEffect(() => connection.onSignedOut(() => setSignedOut(true)), [connection]);
  if (signedOut) return <SignedOut message="This tab was signed out." />;
  return (
    <BridgeContext value={connection.bridge}>
      <Frame connection={connection} />
    </BridgeContext>
  );
}

function Frame({ connection }: { readonly connection: Connection }) {
  const [{ screen, wanted }, go] = useScreen();
  const [connected, setConnected] = useState(true);
  const [reviewing, setReviewing] = useState<string | null>(null);
  useEffect(() => connection.onConnected(setConnected), [connection]);
  const status = useLive('status', {}, ['status', 'approvals', 'confirmations']).data;
  const waiting = status?.waiting ?? 0;
  const accounts = useLive('connectionsList', {}, ['connections']).data ?? [];
  const dead = accounts.filter(({ state }) => state === 'reconnect').length;
  useEffect(() => {
    document.title = waiting > 0 ? `(${waiting}) Gatehouse` : 'Gatehouse';
  }, [waiting]);
  return (
    <div className="frame">
      <nav className="nav" aria-label="Screens">
        <div className="brand">
          <span className="brand-mark" aria-hidden="true" />
          Gatehouse
        </div>
        {SCREENS.map(([name, label]) => (
          <Button
            key={name}
            className={`nav-item ${name === screen ? 'current' : ''}`}
            aria-current={name === screen ? 'page' : undefined}
            onPress={() => {
              setReviewing(null);
              go(name);
            }}
          >
            <span className={`nav-icon icon-${name}`} aria-hidden="true" />
            {label}
            {name === 'upstreams' && dead > 0 && (
              <span className="count bad">
                {dead}
                <span className="unseen"> to reconnect</span>
              </span>
            )}
            {name === 'approvals' && waiting > 0 && (
              <span className="count">
                {waiting}
                <span className="unseen"> waiting</span>
              </span>
            )}
          </Button>
        ))}
        <span className="grow" />
        {connection.signOut && (
          <Button className="nav-item small" onPress={() => void connection.signOut?.()}>
            Sign out this tab
          </Button>
        )}
        {status && <p className="version">Gatehouse {visibleString(status.version)}</p>}
      </nav>
      <div className="content">
        <Header status={status} connected={connected} />
        <main className="main" tabIndex={-1}>
          {screen === 'approvals' && <ApprovalsScreen />}
          {screen === 'tools' && <ToolsScreen reviewing={reviewing} onReview={setReviewing} />}
          {screen === 'upstreams' && (
            <UpstreamsScreen
              wanted={wanted}
              onReview={(upstream) => {
                setReviewing(upstream);
                go('tools');
              }}
            />
          )}
          {screen === 'audit' && <AuditScreen />}
          {screen === 'sinks' && <SinksScreen />}
          {screen === 'clients' && <ClientsScreen />}
          {screen === 'policy' && <PolicyScreen />}
        </main>
      </div>
    </div>
  );
}

function Header({ status, connected }: { readonly status: StatusView | undefined; readonly connected: boolean }) {
  const paused = status?.pauses.some(({ clientId }) => clientId === null);
  return (
    <header className="header">
      {!connected && (
        <p className="banner banner-bad" role="alert">
          Not connected to Gatehouse; trying again. What you see may be old, and calls that need you are refused.
        </p>
      )}
      {status?.pauses.map((pause) => (
        <PauseBanner key={pause.clientId} pause={pause} />
      ))}
      {status?.trusts.map((trust) => (
        <TrustBanner key={trust.id} trust={trust} />
      ))}
      {status?.banners.map((banner) => (
        <p key={banner} className="banner" role="status">
          <Visible text={banner} />
        </p>
      ))}
      {status && status.secretsLost !== null && <LostSecrets lost={status.secretsLost} />}
      {status && (
        <div className="endpoint">
          <span className={`status status-${!connected || !status.healthy ? 'failed' : paused ? 'stopped' : 'ready'}`}>
            <span className="dot" aria-hidden="true" />
            {!connected ? 'not connected' : !status.healthy ? 'degraded' : paused ? 'paused' : 'running'}
          </span>
          <code>{status.endpoint}</code>
          <Copy text={status.endpoint} label="Copy endpoint" />
          <PauseAll pauses={status.pauses} />
        </div>
      )}
    </header>
  );
}

interface Place {
  readonly screen: Screen;
  /** What of it a link leads to: the upstream whose account is wanted. */
  readonly wanted: string | null;
}

/** The screen in the address, so that reload, back and links from error messages work. */
function useScreen(): readonly [Place, (screen: Screen) => void] {
  const [place, setPlace] = useState<Place>(placeInAddress);
  useEffect(() => {
    const onMove = () => setPlace(placeInAddress());
    window.addEventListener('hashchange', onMove);
    return () => window.removeEventListener('hashchange', onMove);
  }, []);
  return [
    place,
    (screen) => {
      window.location.hash = `/${screen}`;
      setPlace({ screen, wanted: null });
    },
  ];
}

function placeInAddress(): Place {
  const { hash, pathname } = window.location;
  const [, named, wanted] =
    hash.match(/^#\/?([a-z]+)(?:\/([a-z0-9-]{1,64}))?$/) ?? pathname.match(/^\/([a-z]+)$/) ?? [];
  // Accounts are connected where their upstream is.
  const page = named === 'connections' ? 'upstreams' : named;
  return { screen: SCREENS.find(([name]) => name === page)?.[0] ?? 'approvals', wanted: wanted ?? null };
}
