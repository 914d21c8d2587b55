import { Button } from 'react-aria-components';
import type { PolicySuggestion } from '../../shared/model.ts';
import { Visible } from '../card/visible.tsx';
import { useAct, useBridge, useLive } from '../live.ts';
import { Problem } from '../parts/notes.tsx';

/** Rules that the person's own answers suggest; nothing when there are none. */
export function Suggestions() {
  const found = useLive('policySuggestions', {}, ['policy']);
  if (!found.data?.suggestions.length) return <Problem message={found.problem} />;
  return (
    <section className="card" aria-label="Suggestions">
      <h3 className="row-name">Suggested by your answers</h3>
      <ul className="list">
        {found.data.suggestions.map((suggestion) => (
          <Suggestion key={suggestion.id} suggestion={suggestion} />
        ))}
      </ul>
    </section>
  );
}

function Suggestion({ suggestion }: { readonly suggestion: PolicySuggestion }) {
  const bridge = useBridge();
  const act = useAct();
  const { id, effect, client, upstream, tool, times, rule, narrower, replay } = suggestion;
  const isAllow = effect === 'allow';
  const apply = (narrow: boolean) =>
    act.run(() => bridge.request('policySuggestionApply', { suggestion: id, narrower: narrow }));
  return (
    <li className="list-row suggestion">
      <span className="grow">
        You {isAllow ? 'approved' : 'denied'}{' '}
        <strong>
          <Visible text={upstream} /> / <Visible text={tool} />
        </strong>{' '}
        {times} times from <Visible text={client} /> and never {isAllow ? 'denied' : 'approved'} it.{' '}
        {isAllow ? 'Allow' : 'Deny'} it?
        <span className="quiet">
          {' '}
          This would change {replay.changed} of its latest {replay.calls} calls.
        </span>
        <pre className="exact">
          <Visible text={sayRule(rule)} />
        </pre>
        {narrower !== null && (
          <pre className="exact">
            only for <Visible text={JSON.stringify(narrower.match.arguments)} />
          </pre>
        )}
        <Problem message={act.problem} />
      </span>
      <span className="actions">
        <Button className="button small" isDisabled={act.busy} onPress={() => void apply(false)}>
          {isAllow ? 'Allow it' : 'Deny it'}
        </Button>
        {narrower !== null && (
          <Button className="button small" isDisabled={act.busy} onPress={() => void apply(true)}>
            Allow only that
          </Button>
        )}
        <Button
          className="button small"
          isDisabled={act.busy}
          onPress={() => void act.run(() => bridge.request('policySuggestionDismiss', { suggestion: id }))}
        >
          Dismiss
        </Button>
      </span>
    </li>
  );
}

/** `allow: client agent, upstream files, tool write, risk read or write` */
function sayRule({ effect, match: { arguments: _condition, ...match } }: PolicySuggestion['rule']): string {
  const members = Object.entries(match).map(([member, values]) => `${member} ${values.join(' or ')}`);
  return `${effect}: ${members.join(', ')}`;
}
