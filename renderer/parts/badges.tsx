import { wordFor } from '../../shared/kinds.ts';
import type { DefinitionKind, Effect, Risk, ToolState, UpstreamStatus } from '../../shared/model.ts';

const RISKS: Readonly<Record<Risk, string>> = { read: 'reads', write: 'writes', destructive: 'destructive' };

/** The risk in colour and in words: colour alone tells nothing to many people. */
export function RiskBadge({ risk }: { readonly risk: Risk }) {
  return <span className={`badge risk-${risk}`}>{RISKS[risk]}</span>;
}

/** Nothing for tools, which is what nearly everything is. */
export function KindBadge({ kind }: { readonly kind: DefinitionKind }) {
  return kind === 'tool' ? null : <span className="badge">{wordFor(kind)}</span>;
}

const EFFECTS: Readonly<Record<Effect, string>> = { allow: 'allow', require_approval: 'ask', deny: 'deny' };

export function EffectBadge({ effect }: { readonly effect: Effect }) {
  return <span className={`badge effect-${effect}`}>{EFFECTS[effect]}</span>;
}

const TOOL_STATES: Readonly<Record<ToolState, string>> = {
  awaiting_review: 'awaiting review',
  reviewed: 'reviewed',
  changed: 'changed',
  gone: 'gone',
};

export function ToolStateBadge({ state }: { readonly state: ToolState }) {
  return <span className={`badge tool-${state}`}>{TOOL_STATES[state]}</span>;
}

export function StatusBadge({ status }: { readonly status: UpstreamStatus }) {
  return (
    <span className={`status status-${status}`}>
      <span className="dot" aria-hidden="true" />
      {status}
    </span>
  );
}

const GOOD = ['answered', 'done', 'written', 'approved', 'confirmed'];
const STOPPED = ['refused', 'denied', 'expired', 'cancelled', 'unavailable', 'not_executed'];
const BAD = ['failed', 'error', 'interrupted'];

/** How a record ended; nothing for an event that has no outcome. A call without one is still running. */
export function OutcomeBadge({ kind, outcome }: { readonly kind: string; readonly outcome: string | null }) {
  if (outcome === null) return kind === 'tool_call' ? <span className="badge">running</span> : null;
  return <span className={`badge ${toneOf(outcome)}`}>{outcome.replaceAll('_', ' ')}</span>;
}

function toneOf(outcome: string): string {
  if (GOOD.includes(outcome)) return 'outcome-good';
  if (STOPPED.includes(outcome)) return 'outcome-warn';
  return BAD.includes(outcome) ? 'outcome-bad' : '';
}
