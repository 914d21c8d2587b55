import { type Difference as Change, differenceOf } from '../../shared/difference.ts';
import type { ChangedLine, Definition } from '../../shared/model.ts';
import { Visible } from '../card/visible.tsx';
import { Words } from '../card/words.tsx';

/** What a changed tool now says, member by member, with every word that was removed or added marked in its place. */
export function Difference({ before, after }: { readonly before: Definition; readonly after: Definition }) {
  const changes = differenceOf(before, after);
  const count = `${changes.length} ${changes.length === 1 ? 'member' : 'members'}`;
  return <Changes heading={`${count} changed since your review`} changes={changes} />;
}

/** Of an upstream that was changed on disk: the lines that are not as they were confirmed. */
export function ChangedOnDisk({ lines }: { readonly lines: readonly ChangedLine[] }) {
  const changes = lines
    .filter(({ confirmed, now }) => confirmed !== now)
    .map(({ label, confirmed, now }) => ({ member: label, before: confirmed, after: now }));
  return <Changes heading="Not as you confirmed it" changes={changes} />;
}

function Changes({ heading, changes }: { readonly heading: string; readonly changes: readonly Change[] }) {
  return (
    <div className="difference">
      <h4>{heading}</h4>
      <p className="quiet">
        <del>removed</del> <ins>added</ins>
      </p>
      {changes.map((change) => (
        <div key={change.member} className="change">
          <span>
            <code className="change-path">
              <Visible text={change.member} />
            </code>{' '}
            <span className="quiet">{whatHappened(change)}</span>
          </span>
          <p className="long-text change-text">
            <Words before={change.before ?? ''} after={change.after ?? ''} />
          </p>
        </div>
      ))}
    </div>
  );
}

function whatHappened({ before, after }: Change): string | null {
  if (before === null) return 'is new';
  return after === null ? 'is gone' : null;
}
