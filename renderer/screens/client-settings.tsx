import { useState } from 'react';
import { Button, Checkbox, Input, Label, TextField } from 'react-aria-components';
import type { ClientView } from '../../shared/model.ts';
import { Visible } from '../card/visible.tsx';
import { useAct, useBridge, useLive } from '../live.ts';
import { Problem } from '../parts/notes.tsx';

/** What the person can set of one client. Only what was changed is sent; what widens access is confirmed apart. */
export function ClientSettings({ client, onClose }: { readonly client: ClientView; onClose(): void }) {
  const bridge = useBridge();
  const act = useAct();
  const known = useLive('upstreamsList', { workspace: client.workspaceId }, ['upstreams']).data ?? [];
  const [name, setName] = useState(client.name);
  const [tags, setTags] = useState(client.tags.join(', '));
  const [scopeTags, setScopeTags] = useState(client.scopeTags.join(', '));
  const [seconds, setSeconds] = useState(String(client.holdMs / 1000));
  const [only, setOnly] = useState(client.upstreams);
  // An upstream that is gone by now can still be taken off the list.
  const names = [...new Set([...known.map((upstream) => upstream.name), ...(only ?? [])])];
  const holdMs = Number(seconds) * 1000;
  const isPatience = seconds.trim() !== '' && Number.isInteger(holdMs) && holdMs >= 0 && holdMs <= 600_000;

  const changed = {
    ...(name.trim() === client.name ? {} : { name: name.trim() }),
    ...(same(listOf(tags), client.tags) ? {} : { tags: listOf(tags) }),
    ...(same(listOf(scopeTags), client.scopeTags) ? {} : { scopeTags: listOf(scopeTags) }),
    ...(holdMs === client.holdMs ? {} : { holdMs }),
    ...(same(only, client.upstreams) ? {} : { upstreams: only && [...only] }),
  };
  const save = async () => {
    const done = await act.run(() => bridge.request('clientSet', { client: client.id, ...changed }));
    if (done) onClose();
  };

  return (
    <section className="form client-settings" aria-label={`Settings of ${client.name}`}>
      <TextField className="field" value={name} onChange={setName} maxLength={80}>
        <Label>Your name for it</Label>
        <Input />
      </TextField>
      <TextField className="field" value={tags} onChange={setTags}>
        <Label>Tags, with commas between: rules can name them</Label>
        <Input placeholder="work, trusted" />
      </TextField>
      <TextField className="field" value={scopeTags} onChange={setScopeTags}>
        <Label>Lists the tools of upstreams with these tags at once; * is all, empty is find_tools alone</Label>
        <Input placeholder="none" />
      </TextField>
      <TextField className="field" value={seconds} onChange={setSeconds} isInvalid={!isPatience}>
        <Label>A call that waits for you holds its client for so many seconds, 0 to 600; then it calls again</Label>
        <Input inputMode="numeric" />
      </TextField>
      <Checkbox className="check" isSelected={only === null} onChange={(all) => setOnly(all ? null : names)}>
        <span className="tick" aria-hidden="true" />
        Sees every upstream of its workspace
      </Checkbox>
      {only !== null &&
        names.map((upstream) => (
          <Checkbox
            key={upstream}
            className="check below"
            isSelected={only.includes(upstream)}
            onChange={(isIn) => setOnly(isIn ? [...only, upstream] : only.filter((one) => one !== upstream))}
          >
            <span className="tick" aria-hidden="true" />
            <Visible text={upstream} />
          </Checkbox>
        ))}
      <Problem message={act.problem} />
      <div className="actions">
        <Button
          className="button small accent"
          isDisabled={act.busy || !isPatience || name.trim() === '' || Object.keys(changed).length === 0}
          onPress={() => void save()}
        >
          {act.busy ? 'Waiting…' : 'Save'}
        </Button>
        <Button className="button small" onPress={onClose}>
          Cancel
        </Button>
      </div>
    </section>
  );
}

function listOf(text: string): string[] {
  return text
    .split(',')
    .map((one) => one.trim())
    .filter(Boolean);
}

const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);
