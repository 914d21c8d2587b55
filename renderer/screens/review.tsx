import { useRef, useState } from 'react';
import { Button, Checkbox, Radio, RadioGroup } from 'react-aria-components';
import { countOf } from '../../shared/kinds.ts';
import type { Risk, ToolView } from '../../shared/model.ts';
import { useGuard } from '../card/guard.ts';
import { Visible } from '../card/visible.tsx';
import { useAct, useBridge } from '../live.ts';
import { KindBadge, ToolStateBadge } from '../parts/badges.tsx';
import { Problem } from '../parts/notes.tsx';
import { Difference } from './difference.tsx';
import { ToolText } from './tool-text.tsx';

interface Reviewed {
  readonly upstreamId: string;
  readonly upstream: string;
  readonly tools: readonly ToolView[];
  onClose(): void;
}

const RISKS: readonly (readonly [risk: Risk, label: string])[] = [
  ['read', 'reads'],
  ['write', 'writes'],
  ['destructive', 'destructive'],
];

/** The one review of an upstream's new or changed tools, prompts and resource templates: all text a model would see, and the risk of each. */
export function ReviewPanel({ upstreamId, upstream, tools, onClose }: Reviewed) {
  const bridge = useBridge();
  const act = useAct();
  const bar = useRef<HTMLDivElement>(null);
  const guard = useGuard(bar);
  const waiting = tools.filter((tool) => tool.offered !== null && tool.state !== 'gone');
  // By its text and its warnings, so that a tool that changes while it is being read loses its tick and its risk.
  const [choices, setChoices] = useState<ReadonlyMap<string, boolean>>(new Map());
  const [risks, setRisks] = useState<ReadonlyMap<string, Risk>>(new Map());
  // What carries a warning is chosen one by one.
  const isChosen = (tool: ToolView) => choices.get(keyOf(tool)) ?? tool.flags.length === 0;
  const accepted = waiting.filter(isChosen);
  const riskOf = (tool: ToolView) => risks.get(keyOf(tool)) ?? tool.proposedRisk;

  const accept = async (event: React.MouseEvent<HTMLElement>) => {
    if (!guard.accepts(event)) return;
    const all = accepted.map((tool) => ({
      kind: tool.kind,
      name: tool.name,
      fingerprint: tool.fingerprint,
      risk: riskOf(tool),
    }));
    const done = await act.run(() => bridge.request('toolsReview', { upstream: upstreamId, accept: all }));
    if (done) onClose();
  };

  return (
    <div className="screen review">
      <div className="screen-head">
        <Button className="link" onPress={onClose}>
          ‹ Tools
        </Button>
        <h2>
          Review <Visible text={upstream} />
        </h2>
      </div>
      <p className="quiet section-text">
        This is everything a model would read about these tools, in the words of the server. Agents see nothing of it
        until you accept. The risk decides which rules apply: choose what a call could do at worst.
      </p>
      {waiting.map((tool) => (
        <article key={keyOf(tool)} className="card review-tool">
          <header className="review-head">
            <Checkbox
              className="check"
              isSelected={isChosen(tool)}
              onChange={(isSelected) => setChoices(new Map([...choices, [keyOf(tool), isSelected]]))}
            >
              <span className="tick" aria-hidden="true" />
              <span className="tool-name">
                <Visible text={tool.name} />
              </span>
            </Checkbox>
            <KindBadge kind={tool.kind} />
            <ToolStateBadge state={tool.state} />
            <span className="grow" />
            {tool.kind === 'tool' && (
              <RadioGroup
                className="segments risks"
                aria-label={`Risk of ${tool.name}`}
                value={riskOf(tool)}
                onChange={(risk) => setRisks(new Map([...risks, [keyOf(tool), risk as Risk]]))}
              >
                {RISKS.map(([risk, label]) => (
                  <Radio key={risk} value={risk} className={`react-aria-Radio risk-${risk}`}>
                    {label}
                  </Radio>
                ))}
              </RadioGroup>
            )}
          </header>
          {tool.flags.map((flag) => (
            <p key={flag} className="problem">
              <Visible text={flag} />
            </p>
          ))}
          {tool.reviewed && tool.offered && <Difference before={tool.reviewed} after={tool.offered} />}
          {tool.offered && <ToolText kind={tool.kind} definition={tool.offered} />}
        </article>
      ))}
      {waiting.length === 0 && <p className="note">Nothing of this upstream waits for review any more.</p>}
      <footer className="review-bar">
        <Problem message={act.problem} />
        <div ref={bar} className="answer-bar" {...guard.watch}>
          <span className="quiet">
            {accepted.length} of {waiting.length} chosen
            {warnedOf(waiting, accepted)}
            {bridge.surface === 'main-window' && ' · you confirm in the approval window'}
          </span>
          <span className="grow" />
          <button
            type="button"
            className="button approve"
            disabled={!guard.armed || act.busy || accepted.length === 0}
            onClick={(event) => void accept(event)}
          >
            Accept {countOf(accepted)}
          </button>
        </div>
      </footer>
    </div>
  );
}

/** How many carry a warning, and that this is why they are not chosen by themselves. */
function warnedOf(waiting: readonly ToolView[], accepted: readonly ToolView[]): string {
  const [all, chosen] = [waiting, accepted].map((tools) => tools.filter(({ flags }) => flags.length > 0).length);
  if (all === 0) return '';
  return ` · ${all} with warnings, ${chosen === 0 ? 'to be chosen one by one' : `${chosen} of them chosen`}`;
}

function keyOf(tool: ToolView): string {
  return `${tool.kind} ${tool.name} ${tool.fingerprint} ${JSON.stringify([tool.offered, tool.flags])}`;
}
