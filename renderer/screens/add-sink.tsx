import { useState } from 'react';
import { Button, Radio, RadioGroup } from 'react-aria-components';
import type { RequestInput } from '../../shared/api.ts';
import { useAct, useBridge } from '../live.ts';
import { Field } from '../parts/field.tsx';
import { Problem } from '../parts/notes.tsx';

const KINDS = [
  ['otlp', 'OpenTelemetry collector'],
  ['postgres', 'PostgreSQL'],
  ['jsonl', 'A file'],
] as const;
type Kind = (typeof KINDS)[number][0];

interface Form {
  readonly name: string;
  readonly kind: Kind;
  readonly url: string;
  readonly header: string;
  readonly host: string;
  readonly port: string;
  readonly database: string;
  readonly user: string;
  readonly path: string;
  /** The value of the header, or the password. */
  readonly secret: string;
}

const EMPTY: Form = {
  name: '',
  kind: 'otlp',
  url: '',
  header: '',
  host: '127.0.0.1',
  port: '5432',
  database: '',
  user: '',
  path: '',
  secret: '',
};

/** The form for a new sink. Every entry of the audit goes there, so it says what that means. */
export function AddSink({ onClose }: { onClose(): void }) {
  const bridge = useBridge();
  const act = useAct();
  const [form, setForm] = useState(EMPTY);
  const set = (part: Partial<Form>) => setForm((before) => ({ ...before, ...part }));
  const add = async () => {
    if (await act.run(() => bridge.request('sinkAdd', inputOf(form)))) onClose();
  };
  return (
    <section className="card form" aria-label="Add sink">
      <div className="form-head">
        <h3 className="row-name">Add sink</h3>
        <span className="grow" />
        <RadioGroup
          className="segments"
          aria-label="Where to"
          value={form.kind}
          onChange={(value) => set({ kind: KINDS.find(([one]) => one === value)?.[0] ?? 'otlp', secret: '' })}
        >
          {KINDS.map(([kind, label]) => (
            <Radio key={kind} value={kind}>
              {label}
            </Radio>
          ))}
        </RadioGroup>
      </div>
      <Field label="Name" value={form.name} placeholder="central" onChange={(name) => set({ name })} />
      {form.kind === 'otlp' && (
        <>
          <Field
            label="Address"
            value={form.url}
            placeholder="https://collector.example/v1/logs"
            onChange={(url) => set({ url })}
          />
          <div className="form-row">
            <Field
              label="Secret header, if it needs one"
              value={form.header}
              placeholder="x-api-key"
              onChange={(header) => set({ header })}
            />
            <Field label="Its value" value={form.secret} isSecret onChange={(secret) => set({ secret })} />
          </div>
        </>
      )}
      {form.kind === 'postgres' && (
        <>
          <div className="form-row">
            <Field
              label="Host, or folder of the socket"
              value={form.host}
              placeholder="db.example"
              onChange={(host) => set({ host })}
            />
            <Field label="Port" value={form.port} placeholder="5432" onChange={(port) => set({ port })} />
          </div>
          <div className="form-row">
            <Field
              label="Database"
              value={form.database}
              placeholder="audit"
              onChange={(database) => set({ database })}
            />
            <Field label="User" value={form.user} placeholder="gatehouse" onChange={(user) => set({ user })} />
            <Field label="Password" value={form.secret} isSecret onChange={(secret) => set({ secret })} />
          </div>
          <p className="quiet">
            On this machine without encryption; elsewhere with TLS, and the certificate is checked. The table
            gatehouse_audit is made when it is missing.
          </p>
        </>
      )}
      {form.kind === 'jsonl' && (
        <Field
          label="File"
          value={form.path}
          placeholder="/var/backups/gatehouse.jsonl"
          hint="Set aside at 100 MB; ten such files are kept."
          onChange={(path) => set({ path })}
        />
      )}
      <p className="quiet">Every entry goes there: who called what, with redacted arguments.</p>
      <Problem message={act.problem} />
      <div className="actions">
        <span className="grow" />
        <Button className="button" onPress={onClose}>
          Cancel
        </Button>
        <Button className="button accent" isDisabled={act.busy || !isComplete(form)} onPress={() => void add()}>
          {act.busy ? 'Adding…' : 'Add'}
        </Button>
      </div>
    </section>
  );
}

function inputOf(form: Form): RequestInput<'sinkAdd'> {
  const { name, url, header, host, database, user, path, secret } = form;
  switch (form.kind) {
    case 'otlp':
      return {
        name,
        target: { kind: 'otlp', url, secretHeaders: header === '' ? [] : [header] },
        secrets: header === '' ? {} : { [header]: secret },
      };
    case 'postgres':
      return {
        name,
        target: {
          kind: 'postgres',
          host,
          port: Number(form.port),
          database,
          user,
          tls: /^(\/|localhost$|127\.|::1$)/.test(host) ? 'off' : 'verify',
          password: secret !== '',
        },
        secrets: secret === '' ? {} : { password: secret },
      };
    case 'jsonl':
      return { name, target: { kind: 'jsonl', path } };
  }
}

function isComplete({ name, kind, url, header, secret, host, database, user, path }: Form): boolean {
  if (name === '') return false;
  switch (kind) {
    case 'otlp':
      return url !== '' && (header === '') === (secret === '');
    case 'postgres':
      return host !== '' && database !== '' && user !== '';
    case 'jsonl':
      return path !== '';
  }
}
