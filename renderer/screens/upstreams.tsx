import { useState } from 'react';
import { Button, Disclosure, DisclosurePanel, Heading } from 'react-aria-components';
import type { ConnectionView, SignInView } from '../../shared/connections.ts';
import type { UpstreamTransport, UpstreamView } from '../../shared/model.ts';
import { Accounts } from '../accounts/accounts.tsx';
import { Visible } from '../card/visible.tsx';
import { useAct, useBridge, useLive, useNow } from '../live.ts';
import { StatusBadge } from '../parts/badges.tsx';
import { ConfirmButton } from '../parts/confirm.tsx';
import { Empty, Problem } from '../parts/notes.tsx';
import { timeAgo } from '../parts/time.ts';
import { AddUpstream } from './add-upstream.tsx';
import { ChangedOnDisk } from './difference.tsx';
import { UpstreamSettings } from './upstream-settings.tsx';

/**
 * The MCP servers behind Gatehouse: what they are, how they are, whose accounts are used, and what to do about it.
 * `wanted`: the name or id of the upstream that a link leads to.
 */
export function UpstreamsScreen({
  wanted,
  onReview,
}: {
  readonly wanted: string | null;
  onReview(upstreamId: string): void;
}) {
  const upstreams = useLive('upstreamsList', {}, ['upstreams', 'tools', 'connections']);
  const accounts = useLive('connectionsList', {}, ['connections', 'upstreams']);
  const signIns = useLive('signInsList', {}, ['connections']);
  const [adding, setAdding] = useState(false);
  const [added, setAdded] = useState<string | null>(null);
  const isOf = (id: string) => (one: { readonly upstreamId: string }) => one.upstreamId === id;
  return (
    <div className="screen">
      <div className="screen-head">
        <h2>Upstreams</h2>
        <span className="grow" />
        {!adding && (
          <Button className="button accent" onPress={() => setAdding(true)}>
            Add upstream
          </Button>
        )}
      </div>
      {adding && <AddUpstream onAdded={setAdded} onClose={() => setAdding(false)} />}
      <Problem message={upstreams.problem ?? accounts.problem ?? signIns.problem} />
      {upstreams.data?.length === 0 && !adding && (
        <Empty title="No upstreams yet">
          <p>An upstream is an MCP server whose tools your agents may use. Add the first one here.</p>
        </Empty>
      )}
      {upstreams.data?.map((upstream) => (
        <Upstream
          key={upstream.id}
          upstream={upstream}
          accounts={accounts.data?.filter(isOf(upstream.id)) ?? []}
          signIns={signIns.data?.filter(isOf(upstream.id)) ?? []}
          isWanted={upstream.id === added || upstream.id === wanted || upstream.name === wanted}
          onReview={() => onReview(upstream.id)}
        />
      ))}
    </div>
  );
}

interface Shown {
  readonly upstream: UpstreamView;
  readonly accounts: readonly ConnectionView[];
  readonly signIns: readonly SignInView[];
  /** The person was led to its accounts, or has just added it. */
  readonly isWanted: boolean;
  onReview(): void;
}

function Upstream({ upstream, accounts, signIns, isWanted, onReview }: Shown) {
  const bridge = useBridge();
  const act = useAct();
  const now = useNow();
  const [setting, setSetting] = useState(false);
  const [settingMode, setSettingMode] = useState(false);
  const { id } = upstream;
  // One that needs an account says so at its accounts, with what to press.
  const isFailed = upstream.status === 'failed' && !upstream.needsSignIn;
  return (
    <article className="card upstream" aria-label={upstream.name}>
      <header className="upstream-head">
        <h3 className="row-name">
          <Visible text={upstream.name} />
        </h3>
        {upstream.needsSignIn ? (
          <span className="status status-wanting">
            <span className="dot" aria-hidden="true" />
            needs an account
          </span>
        ) : (
          <StatusBadge status={upstream.status} />
        )}
        {upstream.tags.map((tag) => (
          <span key={tag} className="badge">
            <Visible text={tag} />
          </span>
        ))}
        <span className="grow" />
        <span className="quiet">{timeAgo(upstream.since, now)}</span>
      </header>
      {upstream.reason !== null && !upstream.needsSignIn && (
        <p className={isFailed ? 'problem' : 'note'}>
          <Visible text={upstream.reason} />
        </p>
      )}
      {isFailed && upstream.lastStderr.length > 0 && (
        <>
          <p className="quiet">What it wrote last:</p>
          <pre className="log">
            <Visible text={upstream.lastStderr.join('\n')} />
          </pre>
        </>
      )}
      <Accounts
        upstream={upstream}
        accounts={accounts}
        signIns={signIns}
        isSettingMode={settingMode}
        onSettingMode={setSettingMode}
        isWanted={isWanted}
      />
      <ExactTransport
        transport={upstream.transport}
        resolved={upstream.toConfirm === null ? upstream.resolvedCommand : null}
      />
      <p className="quiet meta">
        <span>{upstream.toolCount} tools</span>
        {upstream.era !== null && <span>{upstream.era === 'modern' ? 'MCP 2026-07-28' : 'MCP with sessions'}</span>}
        {upstream.pid !== null && <span>process {upstream.pid}</span>}
        {upstream.callsItself !== null && (
          <span>
            calls itself “<Visible text={upstream.callsItself} />”
          </span>
        )}
      </p>
      {upstream.toConfirm !== null && (
        <>
          <ChangedOnDisk lines={upstream.toConfirm} />
          <div className="actions">
            <Button
              className="button small accent"
              isDisabled={act.busy}
              onPress={() => void act.run(() => bridge.request('upstreamConfirm', { upstream: id }))}
            >
              Confirm as it is now
            </Button>
          </div>
        </>
      )}
      {upstream.awaitingReview > 0 && (
        <div className="note strip">
          <p>
            <strong>
              {upstream.awaitingReview} {upstream.awaitingReview === 1 ? 'tool waits' : 'tools wait'} for your review.
            </strong>{' '}
            Agents cannot use {upstream.awaitingReview === 1 ? 'it' : 'them'} before.
          </p>
          <Button className="button small accent" onPress={onReview}>
            Review tools
          </Button>
        </div>
      )}
      {upstream.leftOut.map((problem) => (
        <p key={problem} className="problem">
          <Visible text={problem} />
        </p>
      ))}
      <Problem message={act.problem} />
      <div className="actions">
        <Button
          className="button small"
          isDisabled={act.busy}
          onPress={() =>
            void act.run(() =>
              bridge.request(upstream.enabled ? 'upstreamDisable' : 'upstreamEnable', { upstream: id }),
            )
          }
        >
          {upstream.enabled ? 'Disable' : 'Enable'}
        </Button>
        {!isFailed && (
          <Button
            className="button small"
            isDisabled={act.busy || !upstream.enabled}
            onPress={() => void act.run(() => bridge.request('upstreamRefresh', { upstream: id }))}
          >
            {act.busy ? 'Working…' : 'Refresh'}
          </Button>
        )}
        <Button
          className={isFailed && upstream.toConfirm === null ? 'button small accent' : 'button small'}
          isDisabled={act.busy || !upstream.enabled}
          onPress={() => void act.run(() => bridge.request('upstreamRestart', { upstream: id }))}
        >
          {act.busy && isFailed ? 'Working…' : 'Restart'}
        </Button>
        {!setting && (
          <Button className="button small" onPress={() => setSetting(true)}>
            Settings
          </Button>
        )}
        {!settingMode && upstream.transport.kind !== 'demo' && (
          <Button className="button small" onPress={() => setSettingMode(true)}>
            Sign-in
          </Button>
        )}
        <span className="grow" />
        {upstream.transport.kind !== 'demo' && (
          <ConfirmButton
            label="Remove"
            question="Its tools, reviews and secrets go too."
            confirm="Remove"
            isDisabled={act.busy}
            onConfirm={() => void act.run(() => bridge.request('upstreamRemove', { upstream: id }))}
          />
        )}
      </div>
      {setting && <UpstreamSettings upstream={upstream} onClose={() => setSetting(false)} />}
      <Logs upstream={upstream} />
    </article>
  );
}

/** Command and arguments one by one, so that no space and no quote can be mistaken. */
export function ExactTransport(props: { readonly transport: UpstreamTransport; readonly resolved: string | null }) {
  const { transport, resolved } = props;
  if (transport.kind === 'demo') return <p className="quiet">Built in: tools to try Gatehouse with.</p>;
  const secrets = transport.kind === 'stdio' ? transport.secretEnv : transport.secretHeaders;
  return (
    <div className="command">
      {transport.kind === 'http' ? (
        <code className="word">
          <Visible text={transport.url} />
        </code>
      ) : (
        [transport.command, ...transport.args].map((word, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the words of one command never move.
          <code key={index} className="word">
            {word === '' ? <span className="quiet">empty</span> : <Visible text={word} />}
          </code>
        ))
      )}
      {resolved !== null && (
        <span className="quiet">
          runs <Visible text={resolved} />
        </span>
      )}
      {transport.kind === 'stdio' && transport.cwd !== null && (
        <span className="quiet">
          in <Visible text={transport.cwd} />
        </span>
      )}
      {secrets.length > 0 && (
        <span className="quiet">
          with secret{' '}
          {secrets.map((name) => (
            <code key={name}>
              <Visible text={name} />{' '}
            </code>
          ))}
        </span>
      )}
    </div>
  );
}

function Logs({ upstream }: { readonly upstream: UpstreamView }) {
  const [open, setOpen] = useState(false);
  return (
    <Disclosure className="disclosure" isExpanded={open} onExpandedChange={setOpen}>
      <Heading level={4}>
        <Button slot="trigger" className="link">
          <span className="chevron" aria-hidden="true" />
          Logs
        </Button>
      </Heading>
      <DisclosurePanel>{open && <LogLines upstream={upstream} />}</DisclosurePanel>
    </Disclosure>
  );
}

function LogLines({ upstream }: { readonly upstream: UpstreamView }) {
  const logs = useLive('upstreamLogs', { upstream: upstream.id }, ['upstreams']);
  const lines = logs.data?.lines.length ? logs.data.lines : upstream.lastStderr;
  return (
    <>
      <Problem message={logs.problem} />
      {lines.length === 0 ? (
        <p className="quiet">It has written nothing.</p>
      ) : (
        <pre className="log">
          <Visible text={lines.join('\n')} />
        </pre>
      )}
    </>
  );
}
