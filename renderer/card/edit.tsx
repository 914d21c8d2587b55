import { useMemo } from 'react';
import { Button, TextArea, TextField } from 'react-aria-components';
import { MAX_EDITED } from '../../shared/api.ts';
import { Changed } from './changed.tsx';
import { hidesSomething } from './escapes.ts';
import { parseExact } from './exact-json.ts';
import { Visible } from './visible.tsx';

interface Edited {
  readonly asked: string;
  readonly text: string;
  onChange(text: string): void;
  onBack(): void;
}

/** The arguments as a text that the person changes; what stands here is what runs, character by character. */
export function Edit({ asked, text, onChange, onBack }: Edited) {
  const problem = useMemo(() => whyNotJson(text), [text]);
  return (
    <section className="arguments" aria-label="Edited arguments">
      <div className="arguments-head">
        <h4>Your arguments</h4>
        <span className="quiet">run as they stand here; the agent is told</span>
        <span className="grow" />
        <Button className="link" onPress={onBack}>
          Back to what was asked
        </Button>
      </div>
      <TextField aria-label="Arguments to run" value={text} onChange={onChange} maxLength={MAX_EDITED} autoFocus>
        <TextArea className="react-aria-TextArea mono edit-text" spellCheck="false" rows={rowsOf(text)} />
      </TextField>
      {hidesSomething(text) && (
        <div className="edit-shown">
          <span className="flag">holds characters that cannot be seen; as it is, with escapes:</span>
          <pre className="exact">
            <Visible text={text} />
          </pre>
        </div>
      )}
      {problem !== null && <p className="problem">{problem}</p>}
      {problem === null && text !== asked && (
        <section className="difference since" aria-label="What you changed">
          <h4>What you changed</h4>
          <Changed before={asked} after={text} />
        </section>
      )}
    </section>
  );
}

/** What can be said here; the rules and the schema of the tool have their say when it is approved. */
export function whyNotJson(text: string): string | null {
  const json = parseExact(text);
  if (json === null) return 'This is not JSON yet.';
  return json.kind === 'object' ? null : 'The arguments must be a JSON object: { … }.';
}

function rowsOf(text: string): number {
  return Math.min(14, Math.max(4, text.split('\n').length + Math.ceil(text.length / 90)));
}
