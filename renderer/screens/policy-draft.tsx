import { useEffect, useRef, useState } from 'react';
import { Button, Label, TextArea, TextField } from 'react-aria-components';
import type { PolicyDifference, PolicyFinding } from '../../shared/model.ts';
import { Visible } from '../card/visible.tsx';
import { messageOf, useBridge } from '../live.ts';
import { Problem } from '../parts/notes.tsx';
import { PolicyChanges } from './policy-changes.tsx';
import { ReplayPanel } from './replay.tsx';

/** The person stops typing for so long before the text is looked at. Milliseconds. */
const PAUSE_MS = 300;

/** The policy as text: what is wrong with it while it is written, what it would change, and the way to save it. */
export function PolicyDraft(props: { readonly text: string; onChange(text: string): void; onClose(): void }) {
  const bridge = useBridge();
  const area = useRef<HTMLTextAreaElement>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const { findings, difference } = useChecked(props.text);
  const hasErrors = findings.some(({ severity }) => severity === 'error');
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
  const goTo = ({ line, column }: PolicyFinding) => {
    const at = offsetOf(props.text, line, column);
    area.current?.focus();
    area.current?.setSelectionRange(at, at);
  };
  return (
    <section className="card form" aria-label="Replace the policy">
      <TextField className="field" value={props.text} onChange={props.onChange} autoFocus>
        <Label>The whole policy as YAML</Label>
        <TextArea ref={area} className="react-aria-TextArea mono" rows={16} spellCheck="false" />
      </TextField>
      <Findings findings={findings} onGo={goTo} />
      <Problem message={problem} />
      {difference !== null && <PolicyChanges difference={difference} />}
      <ReplayPanel yaml={props.text} onShadow={props.onClose} />
      <div className="actions">
        <span className="grow" />
        <Button className="button" onPress={props.onClose}>
          Cancel
        </Button>
        <Button className="button accent" isDisabled={busy || hasErrors} onPress={() => void save()}>
          {busy ? 'Saving…' : 'Replace policy'}
        </Button>
      </div>
    </section>
  );
}

function Findings(props: { readonly findings: readonly PolicyFinding[]; onGo(finding: PolicyFinding): void }) {
  return (
    <ul className="policy-findings" aria-label="What is wrong with the text" aria-live="polite">
      {props.findings.map((finding) => (
        <li key={`${finding.line}:${finding.column}:${finding.message}`} className={finding.severity}>
          <Button className="link" onPress={() => props.onGo(finding)}>
            Line {finding.line}, column {finding.column}
          </Button>{' '}
          <Visible text={finding.message} />
        </li>
      ))}
    </ul>
  );
}

interface Checked {
  readonly findings: readonly PolicyFinding[];
  /** Null while there are errors, or before anything is known. */
  readonly difference: PolicyDifference | null;
}

function useChecked(yaml: string): Checked {
  const bridge = useBridge();
  const [checked, setChecked] = useState<Checked>({ findings: [], difference: null });
  useEffect(() => {
    let isOver = false;
    const look = async () => {
      const linted = await bridge.request('policyLint', { yaml });
      const compared =
        linted.kind === 'done' && linted.rules !== null ? await bridge.request('policyDiff', { yaml }) : null;
      if (isOver) return;
      setChecked({
        findings: linted.kind === 'done' ? linted.findings : [],
        difference: compared?.kind === 'done' ? compared.difference : null,
      });
    };
    // Saving tells what could not be told while writing.
    const timer = setTimeout(() => void look().catch(() => setChecked({ findings: [], difference: null })), PAUSE_MS);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [bridge, yaml]);
  return checked;
}

function offsetOf(text: string, line: number, column: number): number {
  const before = text.split('\n').slice(0, line - 1);
  return before.reduce((length, one) => length + one.length + 1, 0) + column - 1;
}
