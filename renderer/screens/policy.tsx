import { useState } from 'react';
import { Button } from 'react-aria-components';
import { Visible } from '../card/visible.tsx';
import { useLive } from '../live.ts';
import { Copy } from '../parts/copy.tsx';
import { Empty, Problem } from '../parts/notes.tsx';
import { PolicyDraft } from './policy-draft.tsx';
import { PolicyRules } from './policy-rules.tsx';
import { ShadowPanel } from './replay.tsx';
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
      {draft !== null && <PolicyDraft text={draft} onChange={setDraft} onClose={() => setDraft(null)} />}
      {draft === null && <Suggestions />}
      {draft === null && <ShadowPanel onUse={setDraft} />}
      {current.data && !policy && (
        <Empty title="No policy: every call is denied">
          <p>Press Replace and paste a policy. The starter policy allows what only reads and asks for the rest.</p>
        </Empty>
      )}
      {policy && <PolicyRules policy={policy} />}
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
