import { useRef, useState } from 'react';
import { Radio, RadioGroup } from 'react-aria-components';
import type { ApprovalView, StandingScope } from '../../shared/model.ts';
import { useAct, useBridge, useNow } from '../live.ts';
import { Problem } from '../parts/notes.tsx';
import { AnswerBar } from './answer-bar.tsx';
import { whyNotJson } from './edit.tsx';
import { useGuard } from './guard.ts';
import { Pins } from './pins.tsx';

interface Scope {
  readonly scope: StandingScope;
  readonly label: string;
  readonly approve: string;
}

const SCOPES: readonly Scope[] = [
  { scope: 'once', label: 'Only this call', approve: 'Approve once' },
  { scope: 'session', label: 'This session', approve: 'Approve for this session' },
  { scope: 'minutes15', label: '15 minutes', approve: 'Approve for 15 minutes' },
  { scope: 'tool', label: 'This tool, always', approve: 'Approve this tool always' },
  { scope: 'values', label: 'These values…', approve: 'Approve these values always' },
];

interface Asked {
  readonly approval: ApprovalView;
  /** Whether the end of what it would do has been on the screen. */
  readonly seen: boolean;
  /** What the person put in place of the arguments; null: nothing. */
  readonly edited: string | null;
}

/** The only buttons that answer one call. */
export function Answer({ approval, seen, edited }: Asked) {
  const bridge = useBridge();
  const bar = useRef<HTMLDivElement>(null);
  const guard = useGuard(bar);
  const act = useAct();
  const [wanted, setScope] = useState<StandingScope>('once');
  const [pins, setPins] = useState<readonly string[]>([]);
  const expired = useNow() >= approval.expiresAt;
  const isEdited = edited !== null && edited !== approval.argumentsText;
  const chosen = SCOPES.find((one) => one.scope === (isEdited ? 'once' : wanted)) ?? SCOPES[0]!;
  const locked = !guard.armed || act.busy || expired;
  const incomplete =
    !seen || (chosen.scope === 'values' && pins.length === 0) || (isEdited && whyNotJson(edited) !== null);

  const approve = () => {
    const { id, argumentsSha256 } = approval;
    void act.run(() =>
      bridge.request('approvalApprove', {
        approval: id,
        argumentsSha256,
        scope: chosen.scope,
        ...(chosen.scope === 'values' ? { pins: [...pins] } : {}),
        ...(isEdited ? { edited } : {}),
      }),
    );
  };

  return (
    <footer className="answer">
      <div className="answer-how">
        <span className="quiet" aria-live="polite">
          {waitsFor(expired, seen, guard.armed)}
        </span>
        <RadioGroup
          className="segments"
          aria-label="How long a yes lasts"
          value={chosen.scope}
          isDisabled={isEdited}
          onChange={(value) => setScope(SCOPES.find((one) => one.scope === value)?.scope ?? 'once')}
        >
          {SCOPES.map((one) => (
            <Radio key={one.scope} value={one.scope} isDisabled={isEdited || !isOffered(one.scope, approval)}>
              {one.label}
            </Radio>
          ))}
        </RadioGroup>
      </div>
      {chosen.scope === 'values' && <Pins text={approval.argumentsText} pins={pins} onChange={setPins} />}
      <AnswerBar
        bar={bar}
        guard={guard}
        isLocked={locked}
        no={{
          label: 'Deny',
          withReason: 'Deny with this reason',
          andPause: 'Deny and pause client',
          placeholder: 'For example: use the staging database instead.',
          say: (why) => void act.run(() => bridge.request('approvalDeny', { approval: approval.id, ...why })),
        }}
        yes={{
          label: isEdited ? 'Approve as edited' : chosen.approve,
          risk: approval.risk,
          isReady: !incomplete,
          say: approve,
        }}
      />
      <Problem message={act.problem} />
    </footer>
  );
}

/** What the core would refuse is not offered: it says why in electron/core/approvals/card.ts. */
function isOffered(scope: StandingScope, { risk, session }: ApprovalView): boolean {
  if (scope === 'session') return session !== null;
  return scope === 'once' || risk !== 'destructive';
}

function waitsFor(expired: boolean, seen: boolean, armed: boolean): string {
  if (expired) return 'Its time is over.';
  if (!seen) return 'Scroll to the end of the arguments to approve.';
  // Always a line of its own, so that nothing moves when it changes.
  return armed ? 'A yes is for' : 'One moment…';
}
