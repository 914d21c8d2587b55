import { useState } from 'react';
import { Button, Disclosure, DisclosurePanel, Heading } from 'react-aria-components';
import type { TraceStep } from '../../shared/connections.ts';
import { Visible } from '../card/visible.tsx';
import { STEPS } from './words.ts';

const OUTCOMES: Readonly<Record<TraceStep['outcome'], string>> = {
  ok: 'done',
  skipped: 'skipped',
  failed: 'failed',
  waiting: 'waiting',
};

/** What a sign-in did, step by step. Every word of a vendor is text; the failing step is open. */
export function Trace({ steps, startedAt }: { readonly steps: readonly TraceStep[]; readonly startedAt: number }) {
  if (steps.length === 0) return <p className="quiet">Nothing was asked yet.</p>;
  return (
    <ol className="trace" aria-label="Trace">
      {steps.map((step, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: steps are only ever added at the end.
        <Step key={index} step={step} isLast={index === steps.length - 1} startedAt={startedAt} />
      ))}
    </ol>
  );
}

interface Shown {
  readonly step: TraceStep;
  readonly isLast: boolean;
  readonly startedAt: number;
}

function Step({ step, isLast, startedAt }: Shown) {
  const [open, setOpen] = useState(step.outcome === 'failed');
  // What was waited for has come when another step follows.
  const outcome = step.outcome === 'waiting' && !isLast ? 'ok' : step.outcome;
  return (
    <li className={`trace-step trace-${outcome}`}>
      <span className="trace-mark" aria-hidden="true" />
      <div className="trace-what">
        <p className="trace-head">
          <strong>{STEPS[step.name]}</strong>
          <span className="unseen">{OUTCOMES[outcome]}</span>
          <span className="grow" />
          <span className="quiet when">{sinceStart(step.at - startedAt)}</span>
        </p>
        <p className="trace-message">
          <Visible text={step.message} />
        </p>
        {step.request !== null && (
          <p className="trace-request">
            <code>
              <Visible text={`${step.request.method} ${step.request.url}`} />
            </code>
            {step.status !== null && (
              <span className={`badge ${step.outcome === 'failed' ? 'outcome-bad' : ''}`}>{step.status}</span>
            )}
          </p>
        )}
        {step.read.length > 0 && (
          <Disclosure className="disclosure" isExpanded={open} onExpandedChange={setOpen}>
            <Heading level={5}>
              <Button slot="trigger" className="link">
                <span className="chevron" aria-hidden="true" />
                {step.read.length === 1 ? '1 line read' : `${step.read.length} lines read`}
              </Button>
            </Heading>
            <DisclosurePanel>
              {open && (
                <pre className="log">
                  <Visible text={step.read.join('\n')} />
                </pre>
              )}
            </DisclosurePanel>
          </Disclosure>
        )}
      </div>
    </li>
  );
}

/** `+0.2 s`, `+1:05 min`: what took long is seen. */
function sinceStart(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 60) return `+${seconds.toFixed(1)} s`;
  return `+${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')} min`;
}

/** A trace that is looked up, not followed: closed until somebody wants it. */
export function TraceDisclosure({
  label,
  isOpen = false,
  ...trace
}: Parameters<typeof Trace>[0] & { readonly label: string; readonly isOpen?: boolean }) {
  const [open, setOpen] = useState(isOpen);
  return (
    <Disclosure className="disclosure" isExpanded={open} onExpandedChange={setOpen}>
      <Heading level={4}>
        <Button slot="trigger" className="link">
          <span className="chevron" aria-hidden="true" />
          {label}
        </Button>
      </Heading>
      <DisclosurePanel>{open && <Trace {...trace} />}</DisclosurePanel>
    </Disclosure>
  );
}
