import { useState } from 'react';
import { Button, Input, Label, Radio, RadioGroup, TextField } from 'react-aria-components';
import type { ClientView, Key, Role, StatusView } from '../../shared/model.ts';
import { Visible } from '../card/visible.tsx';
import { useAct, useBridge, useLive, useNow } from '../live.ts';
import { ConfirmButton } from '../parts/confirm.tsx';
import { Copy } from '../parts/copy.tsx';
import { Empty, Problem } from '../parts/notes.tsx';
import { PauseClient } from '../parts/pauses.tsx';
import { timeAgo } from '../parts/time.ts';
import { TrustClient } from '../parts/trusts.tsx';
import { ClientSettings } from './client-settings.tsx';

/** The programs that may call, their keys, and the lines that connect a new one. */
export function ClientsScreen() {
  const clients = useLive('clientsList', {}, ['clients']);
  const status = useLive('status', {}, ['status']).data;
  const [secret, setSecret] = useState<{ readonly name: string; readonly secret: string } | null>(null);
  return (
    <div className="screen">
      <div className="screen-head">
        <h2>Clients</h2>
      </div>
      <NewKey onCreated={(name, created) => setSecret({ name, secret: created })} />
      {secret && (
        <section className="card fresh-key" aria-label="New key">
          <div className="strip">
            <p>
              <strong>
                The key of <Visible text={secret.name} />
              </strong>{' '}
              is shown once. Copy it now.
            </p>
            <Button className="link" onPress={() => setSecret(null)}>
              I have it
            </Button>
          </div>
          <div className="copy-line">
            <code>{secret.secret}</code>
            <Copy text={secret.secret} label="Copy key" />
          </div>
        </section>
      )}
      <Connect />
      <h3 className="section">Clients and keys</h3>
      <Problem message={clients.problem} />
      {clients.data?.length === 0 && (
        <Empty title="No client yet">
          <p>Create a key above, then paste one of the lines into your agent.</p>
        </Empty>
      )}
      <ul className="list">
        {clients.data?.map((client) => (
          <Client
            key={client.id}
            client={client}
            status={status}
            onSecret={(fresh) => setSecret({ name: client.name, secret: fresh })}
          />
        ))}
      </ul>
    </div>
  );
}

const ROLES: readonly (readonly [role: Role, label: string])[] = [
  ['executor', 'Lists and calls'],
  ['reader', 'Only lists and finds'],
  ['admin', 'Only detailed health'],
];

function NewKey({ onCreated }: { onCreated(name: string, secret: string): void }) {
  const bridge = useBridge();
  const act = useAct();
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('executor');
  const create = () =>
    act.run(async () => {
      const result = await bridge.request('keyCreate', { name, role });
      if (result.kind === 'done') {
        onCreated(name, result.secret);
        setName('');
      }
      return result;
    });
  return (
    <section className="card form new-key" aria-label="New key">
      <TextField className="field grow" value={name} onChange={setName} maxLength={80}>
        <Label>New client</Label>
        <Input placeholder="Your name for it: claude-code" />
      </TextField>
      <RadioGroup
        className="segments"
        aria-label="What its key may do"
        value={role}
        onChange={(value) => setRole(ROLES.find(([one]) => one === value)?.[0] ?? 'executor')}
      >
        {ROLES.map(([one, label]) => (
          <Radio key={one} value={one}>
            {label}
          </Radio>
        ))}
      </RadioGroup>
      <Button className="button accent" isDisabled={act.busy || name.trim() === ''} onPress={() => void create()}>
        {act.busy ? 'Waiting…' : 'Create key'}
      </Button>
      <Problem message={act.problem} />
    </section>
  );
}

function Connect() {
  const connect = useLive('connectLines', {}, ['status', 'clients']);
  const [chosen, setChosen] = useState<string | null>(null);
  const lines = connect.data?.lines ?? [];
  const line = lines.find((one) => one.client === chosen) ?? lines[0];
  const withoutKey = connect.data?.signInOff === null && line ? line.withoutKey : null;
  return (
    <section className="card" aria-label="Connect">
      <div className="form-head">
        <h3 className="row-name">Connect an agent</h3>
        <span className="grow" />
        {lines.length > 0 && (
          <RadioGroup className="segments" aria-label="Which agent" value={line?.client ?? ''} onChange={setChosen}>
            {lines.map((one) => (
              <Radio key={one.client} value={one.client}>
                {one.client}
              </Radio>
            ))}
          </RadioGroup>
        )}
      </div>
      <Problem message={connect.problem} />
      {withoutKey !== null && line && (
        <>
          <p className="quiet">Without a key: it opens your browser, and Gatehouse asks you.</p>
          <div className="copy-line">
            <pre className="exact">{withoutKey}</pre>
            <Copy text={withoutKey} label={`Copy the line for ${line.client} without a key`} />
          </div>
          <p className="quiet">With a key that you made above:</p>
        </>
      )}
      {line && (
        <div className="copy-line">
          <pre className="exact">{line.text}</pre>
          <Copy text={line.text} label={`Copy the line for ${line.client}`} />
        </div>
      )}
      {connect.data?.signInOff && <p className="quiet">{connect.data.signInOff}</p>}
    </section>
  );
}

interface ClientShown {
  readonly client: ClientView;
  readonly status: StatusView | undefined;
  onSecret(secret: string): void;
}

function Client({ client, status, onSecret }: ClientShown) {
  const [setting, setSetting] = useState(false);
  return (
    <li className="client">
      <div className="list-row">
        <span className="grow">
          <strong>
            <Visible text={client.name} />
          </strong>
          {client.callsItself !== null && (
            <span className="quiet">
              {' '}
              calls itself “<Visible text={client.callsItself} />”
            </span>
          )}
          {client.upstreams !== null && (
            <span className="quiet">
              {' '}
              · sees only <Visible text={client.upstreams.join(', ') || 'nothing'} />
            </span>
          )}
        </span>
        <span className="quiet">
          <Visible text={client.workspace} />
        </span>
        <TrustClient clientId={client.id} trusts={status?.trusts ?? []} />
        <PauseClient clientId={client.id} pauses={status?.pauses ?? []} />
        <Button className="button small" aria-expanded={setting} onPress={() => setSetting(!setting)}>
          Settings
        </Button>
      </div>
      {setting && <ClientSettings client={client} onClose={() => setSetting(false)} />}
      {client.keys.map((key) => (
        <KeyRow key={key.id} shown={key} onSecret={onSecret} />
      ))}
    </li>
  );
}

function KeyRow({ shown, onSecret }: { readonly shown: Key; onSecret(secret: string): void }) {
  const bridge = useBridge();
  const act = useAct();
  const now = useNow();
  const over = shown.revokedAt !== null || (shown.expiresAt !== null && shown.expiresAt <= now);
  return (
    <div className={`list-row key ${over ? 'over' : ''}`}>
      <code>{shown.prefix}…</code>
      <span className="badge">{shown.signedIn ? 'signed in by itself' : shown.role}</span>
      <span className="quiet grow">{stateOf(shown, now)}</span>
      <Problem message={act.problem} />
      {!over && !shown.signedIn && (
        <ConfirmButton
          label="Rotate"
          question="You get a new key; this one ends at once."
          confirm="Rotate"
          isDisabled={act.busy}
          onConfirm={() =>
            void act.run(async () => {
              const result = await bridge.request('keyRotate', { key: shown.id });
              if (result.kind === 'done') onSecret(result.secret);
              return result;
            })
          }
        />
      )}
      {!over && (
        <ConfirmButton
          label="Revoke"
          question={
            shown.signedIn
              ? 'Its program is cut off at once, and asks you when it wants in again.'
              : 'Its program is cut off at once.'
          }
          confirm="Revoke"
          isDisabled={act.busy}
          onConfirm={() => void act.run(() => bridge.request('keyRevoke', { key: shown.id }))}
        />
      )}
    </div>
  );
}

function stateOf(key: Key, now: number): string {
  if (key.revokedAt !== null) return `revoked ${timeAgo(key.revokedAt, now)}`;
  if (key.expiresAt !== null && key.expiresAt <= now) return 'expired';
  const used = key.lastUsedAt === null ? 'never used' : `used ${timeAgo(key.lastUsedAt, now)}`;
  if (key.expiresAt === null) return used;
  return `${used} · ends ${new Date(key.expiresAt).toLocaleDateString()}`;
}
