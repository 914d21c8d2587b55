import { useState } from 'react';
import { Button } from 'react-aria-components';
import type { ExplainedRecord, RuleExplanation } from '../../shared/model.ts';
import { Visible } from '../card/visible.tsx';
import { messageOf, useBridge } from '../live.ts';
import { EffectBadge } from '../parts/badges.tsx';
import { Problem } from '../parts/notes.tsx';

type Answer =
  | { readonly kind: 'explained'; readonly explained: ExplainedRecord }
  | { readonly kind: 'not'; readonly message: string };

/** Asked for, because it may have to look for the policy that was in force then. */
export function Explain({ requestId }: { readonly requestId: string }) {
  const bridge = useBridge();
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [busy, setBusy] = useState(false);
  const ask = async () => {
    setBusy(true);
    try {
      const found = await bridge.request('auditExplain', { requestId });
      setAnswer(
        found.kind === 'done'
          ? { kind: 'explained', explained: found.explained }
          : { kind: 'not', message: found.message },
      );
    } catch (error) {
      setAnswer({ kind: 'not', message: messageOf(error) });
    } finally {
      setBusy(false);
    }
  };
  if (answer === null) {
    return (
      <div>
        <Button className="button small" isDisabled={busy} onPress={() => void ask()}>
          Explain this decision
        </Button>
      </div>
    );
  }
  return (
    <div aria-live="polite">
      {answer.kind === 'not' ? <Problem message={answer.message} /> : <Explained explained={answer.explained} />}
    </div>
  );
}

const MATCHED = { true: 'matches', false: 'does not match', unknown: 'cannot be told' } as const;

function Explained({ explained }: { readonly explained: ExplainedRecord }) {
  const { explanation, by, policy, notes } = explained;
  return (
    <section className="explained" aria-label="Explanation">
      <h4>
        <Visible text={explanation.decision.reason} />{' '}
        {!explanation.certain && <span className="quiet">This cannot be told for certain.</span>}
      </h4>
      <p className="quiet">
        {by === 'then' ? 'By the policy that decided it' : 'By the policy in force now'}: <code>{policy}</code>
      </p>
      <ul className="rules">
        {explanation.rules.map((rule) => (
          <RuleLine key={rule.rule} rule={rule} />
        ))}
      </ul>
      <p className="quiet">Everything else: {explanation.defaultEffect ?? 'deny, because there is no policy'}</p>
      {notes.map((note) => (
        <p key={note} className="quiet">
          <Visible text={note} />
        </p>
      ))}
    </section>
  );
}

function RuleLine({ rule }: { readonly rule: RuleExplanation }) {
  return (
    <li>
      <p>
        <strong>
          <Visible text={rule.rule} />
        </strong>{' '}
        {rule.effect === null ? rule.modifiers.join(', ') : <EffectBadge effect={rule.effect} />}{' '}
        {MATCHED[`${rule.matched}`]}
        {rule.decided && ' and decided'}
      </p>
      <dl className="facts tight">
        {rule.members.map((member) => (
          <div key={`${member.member} ${member.wanted}`}>
            <dt>
              <Visible text={member.member} /> {MATCHED[`${member.matched}`]}
            </dt>
            <dd>
              wants <Visible text={member.wanted} />; has <Visible text={member.actual} />
            </dd>
          </div>
        ))}
      </dl>
    </li>
  );
}
