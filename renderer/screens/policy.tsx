import { useState } from 'react';
import { Button, Label, TextArea, TextField } from 'react-aria-components';
import type { RuleMatch } from '../../shared/model.ts';
import { Visible } from '../card/visible.tsx';
import { messageOf, useBridge, useLive } from '../live.ts';
import { EffectBadge } from '../parts/badges.tsx';
import { Copy } from '../parts/copy.tsx';
import { Empty, Problem } from '../parts/notes.tsx';
import { ReplayPanel, ShadowPanel } from './replay.tsx';
import { Suggestions } from './suggestions.tsx';

/** The rules as they hold now, the same as YAML, and the way to replace them. */
export function PolicyScreen() {
  const current = useLive('policyGet', {}, ['policy']);
  const text = useLive('policyExport', {}, ['policy']);
  const [draft, setDraft] = useState<string | null>(null);
  const policy = current.data?.policy;
  return (
    <div className="screen">
      <div className="screen-head">
        <h2>Policy</h2>
        <span className="grow" />
        {draft === null && text.data && (
          <Button className="button accent" onPress={() => setDraft(text.data!.yaml)}>
            Replace…
          </Button>
        )}
      </div>
      <Problem message={current.problem ?? current.data?.problem ?? text.problem} />
      {draft !== null && <Draft text={draft} onChange={setDraft} onClose={() => setDraft(null)} />}
      {draft === null && <Suggestions />}
      {draft === null && <ShadowPanel onUse={setDraft} />}
      {current.data && !policy && (
        <Empty title="No policy: every call is denied">
          <p>Press Replace and paste a policy. The starter policy allows what only reads and asks for the rest.</p>
        </Empty>
      )}
      {policy && (
        <ul className="list rules">
          {policy.rules.map((rule) => (
            <li key={rule.name} className="list-row">
              {rule.effect !== undefined && <EffectBadge effect={rule.effect} />}
              <span className="grow">
                <strong>
                  <Visible text={rule.name} />
                </strong>{' '}
                <span className="quiet">
                  <Visible text={rule.reason ?? ''} />
                </span>
              </span>
              <span className="quiet">
                <Visible text={sayMatch(rule.match)} />
              </span>
            </li>
          ))}
          <li className="list-row">
            <EffectBadge effect={policy.defaultEffect} />
            <span className="grow">every call that no rule matches</span>
          </li>
        </ul>
      )}
      {draft === null && text.data && (
        <section className="card" aria-label="Policy as YAML">
          <div className="form-head">
            <h3 className="row-name">As YAML</h3>
            <span className="grow" />
            <Copy text={text.data.yaml} label="Copy the policy" />
          </div>
          <pre className="exact">
            <Visible text={text.data.yaml} />
          </pre>
        </section>
      )}
    </div>
  );
}

/** `risk read · tool delete_*`; conditions on arguments are only named, the YAML has them. */
function sayMatch({ arguments: condition, ...match }: RuleMatch): string {
  const said = Object.entries(match).map(([name, values]) => `${name} ${values.join(' or ')}`);
  if (condition !== undefined) said.push('certain arguments');
  return said.join(' · ') || 'every call';
}

function Draft(props: { readonly text: string; onChange(text: string): void; onClose(): void }) {
  const bridge = useBridge();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const save = async () => {
    setBusy(true);
    setProblem(null);
    try {
      const result = await bridge.request('policyImport', { yaml: props.text });
      if (result.kind === 'done') return props.onClose();
      const where = result.line === undefined ? '' : `Line ${result.line}, column ${result.column ?? 1}: `;
      setProblem(where + result.message);
    } catch (error) {
      setProblem(messageOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <section className="card form" aria-label="Replace the policy">
      <TextField className="field" value={props.text} onChange={props.onChange} autoFocus>
        <Label>The whole policy as YAML</Label>
        <TextArea className="react-aria-TextArea mono" rows={16} spellCheck="false" />
      </TextField>
      <Problem message={problem} />
      <ReplayPanel yaml={props.text} onShadow={props.onClose} />
      <div className="actions">
        <span className="grow" />
        <Button className="button" onPress={props.onClose}>
          Cancel
        </Button>
        <Button className="button accent" isDisabled={busy} onPress={() => void save()}>
          {busy ? 'Saving…' : 'Replace policy'}
        </Button>
      </div>
    </section>
  );
}
