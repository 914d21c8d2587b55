import type { Policy, Rule } from '../../shared/model.ts';
import { Visible } from '../card/visible.tsx';
import { EffectBadge } from '../parts/badges.tsx';
import { matchWords, modifierWords, type Said } from './rule-words.ts';

/** Every rule with all that it says, and what happens to what none of them matches. */
export function PolicyRules({ policy }: { readonly policy: Policy }) {
  return (
    <table className="policy-rules">
      <thead>
        <tr>
          <th scope="col">Rule</th>
          <th scope="col">Does</th>
          <th scope="col">With calls that match</th>
        </tr>
      </thead>
      <tbody>
        {policy.rules.map((rule) => (
          <RuleRow key={rule.name} rule={rule} />
        ))}
        <tr>
          <th scope="row">everything else</th>
          <td>
            <EffectBadge effect={policy.defaultEffect} />
          </td>
          <td className="quiet">every call that no rule matches</td>
        </tr>
      </tbody>
    </table>
  );
}

function RuleRow({ rule }: { readonly rule: Rule }) {
  const match = matchWords(rule.match);
  return (
    <tr>
      <th scope="row">
        <Visible text={rule.name} />
        {rule.reason !== undefined && (
          <p className="quiet">
            <Visible text={rule.reason} />
          </p>
        )}
      </th>
      <td>
        {rule.effect !== undefined && <EffectBadge effect={rule.effect} />}
        <Lines lines={modifierWords(rule)} />
      </td>
      <td>{match.length === 0 ? 'every call' : <Lines lines={match} />}</td>
    </tr>
  );
}

function Lines({ lines }: { readonly lines: readonly Said[] }) {
  return lines.map(({ about, words }) => (
    <p key={about}>
      <span className="quiet">{about}</span> <Visible text={words} />
    </p>
  ));
}
