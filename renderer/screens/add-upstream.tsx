import { useState } from 'react';
import { Button, Input, Label, Radio, RadioGroup, Text, TextField } from 'react-aria-components';
import type { RequestInput } from '../../shared/api.ts';
import { useAct, useBridge } from '../live.ts';
import { Problem } from '../parts/notes.tsx';

/** A row of the form; the id only keeps React's fields apart. */
interface Row {
  readonly id: number;
  readonly name: string;
  readonly value: string;
}

/** The form for a new upstream. Every argument has its own field: nothing is split, quoted or expanded. */
export function AddUpstream({ onAdded, onClose }: { onAdded(upstreamId: string): void; onClose(): void }) {
  const bridge = useBridge();
  const act = useAct();
  const [kind, setKind] = useState<'stdio' | 'http'>('stdio');
  const [name, setName] = useState('');
  const [command, setCommand] = useState('');
  const [url, setUrl] = useState('');
  const [tags, setTags] = useState('');
  const [args, setArgs] = useState<readonly Row[]>([]);
  const [secrets, setSecrets] = useState<readonly Row[]>([]);

  const add = async () => {
    const named = secrets.filter((secret) => secret.name !== '');
    const names = named.map((secret) => secret.name);
    const wanted: RequestInput<'upstreamAdd'> = {
      name,
      tags: tags
        .split(',')
        .map((tag) => tag.trim())
        .filter((tag) => tag !== ''),
      secrets: Object.fromEntries(named.map((secret) => [secret.name, secret.value])),
      transport:
        kind === 'stdio'
          ? { kind, command, args: args.map((arg) => arg.value), secretEnv: names }
          : { kind, url, secretHeaders: names },
    };
    const isAdded = await act.run(async () => {
      const answer = await bridge.request('upstreamAdd', wanted);
      if (answer.kind === 'done') onAdded(answer.upstream.id);
      return answer;
    });
    if (isAdded) onClose();
  };

  return (
    <section className="card form" aria-label="Add upstream">
      <div className="form-head">
        <h3 className="row-name">Add upstream</h3>
        <span className="grow" />
        <RadioGroup
          className="segments"
          aria-label="How to reach it"
          value={kind}
          onChange={(value) => setKind(value === 'http' ? 'http' : 'stdio')}
        >
          <Radio value="stdio">A command on this machine</Radio>
          <Radio value="http">A URL</Radio>
        </RadioGroup>
      </div>
      <TextField className="field" value={name} onChange={setName} autoFocus>
        <Label>Name</Label>
        <Input placeholder="files" spellCheck="false" />
        <Text slot="description">Your short name for it: a–z, 0–9 and “-”. Agents see tools as name__tool.</Text>
      </TextField>
      {kind === 'stdio' ? (
        <>
          <TextField className="field" value={command} onChange={setCommand}>
            <Label>Command</Label>
            <Input className="react-aria-Input mono" placeholder="npx" spellCheck="false" />
          </TextField>
          <Rows title="Arguments" addLabel="Add argument" rows={args} onChange={setArgs} kind="argument" />
        </>
      ) : (
        <TextField className="field" value={url} onChange={setUrl}>
          <Label>URL</Label>
          <Input className="react-aria-Input mono" placeholder="https://mcp.example.com/mcp" spellCheck="false" />
        </TextField>
      )}
      <Rows
        title={kind === 'stdio' ? 'Secret environment' : 'Secret headers'}
        addLabel="Add secret"
        rows={secrets}
        onChange={setSecrets}
        kind="secret"
      />
      <TextField className="field" value={tags} onChange={setTags}>
        <Label>Tags</Label>
        <Input placeholder="files, work" />
        <Text slot="description">Separated by commas; rules and clients can refer to them.</Text>
      </TextField>
      <Problem message={act.problem} />
      <div className="actions">
        <span className="quiet">
          {kind === 'stdio'
            ? 'It starts without a shell, exactly as written above. Its tools then wait for your review.'
            : 'If it asks for an account, you connect one next.'}
        </span>
        <span className="grow" />
        <Button className="button" onPress={onClose}>
          Cancel
        </Button>
        <Button
          className="button accent"
          isDisabled={act.busy || name === '' || (kind === 'stdio' ? command === '' : url === '')}
          onPress={() => void add()}
        >
          {act.busy ? 'Adding…' : 'Add'}
        </Button>
      </div>
    </section>
  );
}

interface RowsShown {
  readonly title: string;
  readonly addLabel: string;
  readonly kind: 'argument' | 'secret';
  readonly rows: readonly Row[];
  onChange(rows: readonly Row[]): void;
}

function Rows({ title, addLabel, kind, rows, onChange }: RowsShown) {
  const set = (id: number, part: Partial<Row>) =>
    onChange(rows.map((row) => (row.id === id ? { ...row, ...part } : row)));
  const nextId = Math.max(0, ...rows.map((row) => row.id)) + 1;
  return (
    <fieldset className="rows">
      <legend>{title}</legend>
      {rows.map((row, index) => (
        <div key={row.id} className="form-row">
          {kind === 'argument' && <span className="json-index">{index + 1}.</span>}
          {kind === 'secret' && (
            <TextField
              className="field"
              aria-label="Name"
              value={row.name}
              onChange={(value) => set(row.id, { name: value })}
            >
              <Input className="react-aria-Input mono" placeholder="API_KEY" spellCheck="false" />
            </TextField>
          )}
          <TextField
            className="field grow"
            aria-label={kind === 'secret' ? `Value of ${row.name || 'the secret'}` : `Argument ${index + 1}`}
            type={kind === 'secret' ? 'password' : 'text'}
            autoComplete="off"
            value={row.value}
            onChange={(value) => set(row.id, { value })}
          >
            <Input
              className="react-aria-Input mono"
              placeholder={kind === 'secret' ? 'value' : ''}
              spellCheck="false"
            />
          </TextField>
          <Button
            className="link"
            aria-label={`Remove ${kind} ${index + 1}`}
            onPress={() => onChange(rows.filter((other) => other.id !== row.id))}
          >
            Remove
          </Button>
        </div>
      ))}
      <Button className="link" onPress={() => onChange([...rows, { id: nextId, name: '', value: '' }])}>
        + {addLabel}
      </Button>
    </fieldset>
  );
}
