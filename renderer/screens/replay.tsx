import { useEffect, useState } from 'react';
import { Button, Radio, RadioGroup } from 'react-aria-components';
import type { ReplayedCall, ReplayOutcome, ReplayReport } from '../../shared/model.ts';
import { Visible } from '../card/visible.tsx';
import { useAct, useBridge, useLive, useNow } from '../live.ts';
import { Problem } from '../parts/notes.tsx';
import { dateAndTime, shortTime } from '../parts/time.ts';

const DAY = 24 * 3600_000;
const SPANS = [
  ['day', 'Last day', { sinceMs: DAY, calls: 100_000 }],
  ['week', 'Last week', { sinceMs: 7 * DAY, calls: 100_000 }],
  ['calls', 'Last 10,000 calls', { calls: 10_000 }],
] as const;
type Span = (typeof SPANS)[number][0];

/** "What would this have done?": the draft against the calls of the audit, before it is saved. */
export function ReplayPanel({ yaml, onShadow }: { readonly yaml: string; onShadow(): void }) {
  const bridge = useBridge();
  const act = useAct();
  const [span, setSpan] = useState<Span>('calls');
  const [shown, setShown] = useState<{ readonly yaml: string; readonly report: ReplayReport } | null>(null);
  const tryIt = () =>
    act.run(async () => {
      const chosen = SPANS.find(([name]) => name === span)?.[2] ?? {};
      const answer = await bridge.request('policyReplay', { yaml, ...chosen });
      if (answer.kind === 'done') setShown({ yaml, report: answer.report });
      return answer;
    });
  const shadow = async () => {
    if (await act.run(() => bridge.request('policyShadowStart', { yaml }))) onShadow();
  };
  return (
    <section className="replay" aria-label="Try it against the past">
      <div className="form-head">
        <h3 className="row-name">Try it against the past</h3>
        <span className="grow" />
        <RadioGroup
          className="segments"
          aria-label="Which calls"
          value={span}
          onChange={(value) => setSpan(SPANS.find(([name]) => name === value)?.[0] ?? 'calls')}
        >
          {SPANS.map(([name, label]) => (
            <Radio key={name} value={name}>
              {label}
            </Radio>
          ))}
        </RadioGroup>
        <Button className="button small" isDisabled={act.busy} onPress={() => void shadow()}>
          Run as shadow
        </Button>
        <Button className="button small" isDisabled={act.busy} onPress={() => void tryIt()}>
          {act.busy ? 'Trying…' : 'Try'}
        </Button>
      </div>
      {act.busy && <Looked />}
      <Problem message={act.problem} />
      {shown && shown.yaml !== yaml && <p className="quiet">The draft was changed since; try it again.</p>}
      {shown && <Report report={shown.report} />}
    </section>
  );
}

/** How many calls were looked at so far. */
function Looked() {
  const bridge = useBridge();
  const [looked, setLooked] = useState(0);
  useEffect(() => {
    const timer = window.setInterval(() => {
      bridge.request('policyReplayProgress', {}).then(
        (progress) => setLooked((before) => progress.looked ?? before),
        () => {},
      );
    }, 300);
    return () => window.clearInterval(timer);
  }, [bridge]);
  return (
    <p className="quiet" role="status">
      Looking through the audit{looked > 0 && `: ${looked} calls so far`}…
    </p>
  );
}

/** The draft that is asked beside the policy: how often they agree, where they do not, and what to do with it. */
export function ShadowPanel({ onUse }: { onUse(yaml: string): void }) {
  const bridge = useBridge();
  const act = useAct();
  // Every call may add to it; the report reads the audit, so it is asked for again when the person wants it.
  const shadow = useLive('policyShadow', {}, ['policy']);
  const running = shadow.data?.shadow;
  if (!running) return <Problem message={shadow.problem} />;
  return (
    <section className="card" aria-label="Shadow">
      <div className="form-head">
        <h3 className="row-name">Shadow</h3>
        <span className="grow" />
        <Button className="button small" onPress={() => shadow.reload()}>
          Look again
        </Button>
        <Button className="button small" onPress={() => onUse(running.yaml)}>
          Make it the policy…
        </Button>
        <Button
          className="button small"
          isDisabled={act.busy}
          onPress={() => void act.run(() => bridge.request('policyShadowStop', {}))}
        >
          Stop
        </Button>
      </div>
      <p className="quiet">
        A draft is asked about every call since {dateAndTime(running.startedAt)}, started by{' '}
        <Visible text={running.by} />. The policy alone rules.
      </p>
      <Problem message={act.problem ?? shadow.problem} />
      <Report report={running.report} />
    </section>
  );
}

/** Counts, then the calls themselves. */
export function Report({ report }: { readonly report: ReplayReport }) {
  const { calls, from, to, same, changed, cannotTell, steps, modified } = report;
  if (calls === 0 || from === null || to === null)
    return <p className="quiet">The audit has no calls from that time.</p>;
  return (
    <>
      <p>
        Of {calls} calls from {dateAndTime(from)} to {dateAndTime(to)}: {same} decided the same,{' '}
        <strong>{changed} otherwise</strong>
        {cannotTell > 0 && `, ${cannotTell} cannot tell`}.
      </p>
      {steps.length > 0 && (
        <ul className="steps">
          {steps.map((step) => (
            <li key={`${step.before} ${step.after}`}>
              <OutcomeBadge outcome={step.before} /> → <OutcomeBadge outcome={step.after} /> {step.calls}×
            </li>
          ))}
        </ul>
      )}
      {Object.values(modified).some((count) => count > 0) && (
        <p className="quiet">
          Arguments redacted: {modified.redactArgs} · results redacted: {modified.redactResult} · results held:{' '}
          {modified.holdResult}
        </p>
      )}
      {report.changes.length > 0 && <Calls label="Calls decided otherwise" calls={report.changes} />}
      {report.changes.length < changed && (
        <p className="quiet">
          … and {changed - report.changes.length} more. “gatehouse policy replay” lists all of them.
        </p>
      )}
      {report.untold.length > 0 && <Calls label="Calls of which it cannot tell" calls={report.untold} />}
    </>
  );
}

function Calls({ label, calls }: { readonly label: string; readonly calls: readonly ReplayedCall[] }) {
  const now = useNow();
  return (
    <ul className="list replayed" aria-label={label}>
      {calls.map((call) => (
        <li key={call.requestId} className="list-row">
          <span className="grow">
            <strong>
              <Visible text={call.upstream} /> / <Visible text={call.tool} />
            </strong>
            <span className="quiet">
              {' '}
              for <Visible text={call.client} />
            </span>
            <code className="replayed-arguments">
              <Visible text={call.argumentsText} />
            </code>
            {call.cannotTell !== null && <span className="quiet">Cannot tell: {call.cannotTell}</span>}
          </span>
          <span className="replayed-step">
            <Decided decided={call.before} /> → {call.cannotTell !== null && <span className="quiet">perhaps</span>}
            <Decided decided={call.after} />
          </span>
          <span className="quiet when">{shortTime(call.at, now)}</span>
        </li>
      ))}
    </ul>
  );
}

function Decided({ decided }: { readonly decided: ReplayedCall['before'] }) {
  return (
    <span>
      <OutcomeBadge outcome={decided.outcome} />{' '}
      {decided.rule !== null && (
        <span className="quiet">
          <Visible text={decided.rule} />
        </span>
      )}
    </span>
  );
}

const OUTCOMES: Readonly<Record<ReplayOutcome, string>> = {
  allow: 'allow',
  require_approval: 'ask',
  deny: 'deny',
  rate_limited: 'too many',
};

function OutcomeBadge({ outcome }: { readonly outcome: ReplayOutcome }) {
  const tone = outcome === 'rate_limited' ? 'deny' : outcome;
  return <span className={`badge effect-${tone}`}>{OUTCOMES[outcome]}</span>;
}
