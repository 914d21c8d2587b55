import { useMemo } from 'react';
import { parseExact } from './exact-json.ts';
import { type ChangedField, changedFields, type Field, fieldsOf } from './fields.ts';
import { secretsIn } from './secrets.ts';
import { Visible } from './visible.tsx';
import { Words } from './words.tsx';

/** More than this is no longer a difference to read; the arguments themselves show everything. */
const AT_MOST = 40;

interface Read {
  readonly fields: readonly Field[];
  /** Pointers of values that look like secrets. */
  readonly secret: ReadonlySet<string>;
}

/** Which values of arguments are not as they were, with every word that was removed or added marked in its place. */
export function Changed({ before, after }: { readonly before: string; readonly after: string }) {
  const [old, now] = useMemo(() => [read(before), read(after)] as const, [before, after]);
  if (!old || !now) return <p className="quiet">One of the two is not JSON, so they are not compared.</p>;
  const changes = changedFields(old.fields, now.fields);
  if (changes.length === 0) return <p className="quiet">The same values, written in another way.</p>;
  return (
    <ul className="changed">
      {changes.slice(0, AT_MOST).map((change) => (
        <li key={change.pointer}>
          <code className="change-path">
            <Visible text={change.pointer === '' ? 'the whole' : change.pointer} />
          </code>{' '}
          <ChangedValue change={change} isSecret={old.secret.has(change.pointer) || now.secret.has(change.pointer)} />
        </li>
      ))}
      {changes.length > AT_MOST && (
        <li className="quiet">and {changes.length - AT_MOST} more; the arguments show them all</li>
      )}
    </ul>
  );
}

function ChangedValue({ change, isSecret }: { readonly change: ChangedField; readonly isSecret: boolean }) {
  const { before, after } = change;
  const what = before === null ? 'is new' : after === null ? 'is gone' : null;
  if (isSecret) return <span className="quiet">{what ?? 'is another'}, and looks like a secret</span>;
  return (
    <>
      {what !== null && <span className="quiet">{what} </span>}
      <span className="mono">
        <Words before={before?.text ?? ''} after={after?.text ?? ''} />
      </span>
    </>
  );
}

function read(text: string): Read | null {
  const json = parseExact(text);
  if (!json) return null;
  const fields = fieldsOf(json, text);
  const masked = new Set(secretsIn(json).map(({ from }) => from));
  return { fields, secret: new Set(fields.filter(({ from }) => masked.has(from)).map(({ pointer }) => pointer)) };
}
