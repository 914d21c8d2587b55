import type { Definition } from '../../shared/model.ts';
import { type Change, differences } from '../card/differences.ts';
import { Visible } from '../card/visible.tsx';

/** What a changed tool now says, member by member, with the changed part of each text marked. */
export function Difference({ before, after }: { readonly before: Definition; readonly after: Definition }) {
  const changes = differences(before, after);
  return (
    <div className="difference">
      <h4>
        {changes.length} {changes.length === 1 ? 'member' : 'members'} changed since your review
      </h4>
      {changes.map((change) => (
        <div key={change.path} className="change">
          <code className="change-path">
            <Visible text={change.path} />
          </code>
          <Side label="before" change={change} side="before" />
          <Side label="now" change={change} side="after" />
        </div>
      ))}
    </div>
  );
}

function Side({ label, change, side }: { label: string; readonly change: Change; readonly side: 'before' | 'after' }) {
  const text = change[side];
  const Marked = side === 'before' ? 'del' : 'ins';
  return (
    <div className={`change-side change-${side}`}>
      <span className="quiet">{label}</span>
      {text === null ? (
        <span className="quiet">not there</span>
      ) : (
        <p className="long-text">
          <Visible text={text.slice(0, change.sameStart)} />
          <Marked>
            <Visible text={text.slice(change.sameStart, text.length - change.sameEnd)} />
          </Marked>
          <Visible text={text.slice(text.length - change.sameEnd)} />
        </p>
      )}
    </div>
  );
}
