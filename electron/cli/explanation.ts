import type { Explanation } from '../../shared/model.ts';
import { visible } from './untrusted.ts';

/** What was decided, and of every rule what it wanted and what was there. */
export function explanationLines({ decision, certain, rules, defaultEffect }: Explanation): readonly string[] {
  return [
    `decides   ${decision.effect}${certain ? '' : ', not for certain'}: ${visible(decision.reason)}`,
    ...rules.flatMap(({ rule, effect, modifiers, decided, applied, matched, members }) => [
      `${decided ? '→' : applied ? '+' : ' '} ${visible(rule)}: ${[...(effect === null ? [] : [effect]), ...modifiers].join(', ')}, ${MATCHED[`${matched}`]}`,
      ...members.map(
        (one) =>
          `      ${visible(one.member)} ${MATCHED[`${one.matched}`]}: wants ${visible(one.wanted)}; has ${visible(one.actual)}`,
      ),
    ]),
    `  everything else: ${defaultEffect ?? 'deny (no policy)'}`,
  ];
}

const MATCHED = { true: 'matches', false: 'does not match', unknown: 'cannot be told' } as const;
