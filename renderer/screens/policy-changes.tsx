import type { PolicyDifference, RuleDifference } from '../../shared/model.ts';
import { Visible } from '../card/visible.tsx';

const CHANGES = { added: 'new', removed: 'gone', changed: 'changed' } as const;

/** What saving a draft would change of the policy in force, rule by rule. */
export function PolicyChanges({ difference: { defaultEffect, rules } }: { readonly difference: PolicyDifference }) {
  if (defaultEffect === null && rules.length === 0) return <p className="quiet">Nothing would change.</p>;
  return (
    <section aria-label="What would change">
      <h3 className="row-name">What would change</h3>
      <ul className="policy-changes">
        {defaultEffect !== null && (
          <li>
            everything else: <del>{defaultEffect.before ?? 'denied'}</del> <ins>{defaultEffect.after}</ins>
          </li>
        )}
        {rules.map((rule) => (
          <li key={rule.rule}>
            <strong>
              <Visible text={rule.rule} />
            </strong>{' '}
            <span className="quiet">{CHANGES[rule.change]}</span>
            <Members rule={rule} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Members({ rule }: { readonly rule: RuleDifference }) {
  return (
    <ul>
      {rule.members.map(({ member, before, after }) => (
        <li key={member}>
          {member}: {before !== null && <Side of="del" text={before} />}{' '}
          {after !== null && <Side of="ins" text={after} />}
        </li>
      ))}
    </ul>
  );
}

function Side({ of: Tag, text }: { readonly of: 'del' | 'ins'; readonly text: string }) {
  return (
    <Tag className="mono">
      <Visible text={text} />
    </Tag>
  );
}
