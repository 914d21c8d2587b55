import type { NextStep, SignInView, TraceStep } from '../../shared/connections.ts';
import { shownTime } from './terminal.ts';
import { visible } from './untrusted.ts';

/** What is read from a vendor stands behind this, so that no line of it can pass for one of ours. */
const MARGIN = '          | ';

const OUTCOMES: Readonly<Record<TraceStep['outcome'], string>> = {
  ok: 'ok',
  skipped: 'skipped',
  failed: 'FAILED',
  waiting: 'waiting',
};

/** One step, as `upstreams connect` says it while it goes on. */
export function stepLine({ name, outcome, message, status }: TraceStep): string {
  const answered = status === null ? '' : ` (${status})`;
  return `${OUTCOMES[outcome].padEnd(8)}  ${name}${answered}: ${visible(message)}`;
}

/** A whole sign-in, as `upstreams trace` prints it. */
export function traceLines(signIn: SignInView): readonly string[] {
  const { upstream, label, state, code, steps, startedAt } = signIn;
  const ended = state === 'failed' && code !== null ? `failed, ${code}` : state.replaceAll('_', ' ');
  return [
    `${visible(upstream)} as '${visible(label)}', ${shownTime(startedAt)}: ${ended}`,
    '',
    ...steps.flatMap((step, index) => [
      // What was waited for has come when another step follows.
      stepLine(step.outcome === 'waiting' && index < steps.length - 1 ? { ...step, outcome: 'ok' } : step),
      ...(step.request === null ? [] : [`          ${visible(`${step.request.method} ${step.request.url}`)}`]),
      ...step.read.map((line) => `${MARGIN}${visible(line)}`),
    ]),
    ...(steps.length === 0 ? ['Nothing was asked.'] : []),
    ...endLines(signIn),
  ];
}

/** Why it failed and the one thing to do next, with the command that does it. */
export function endLines({ upstream, label, code, message, next }: SignInView): readonly string[] {
  if (message === null && next === null) return [];
  const command = next === null ? null : commandFor(next.act, upstream, label);
  return [
    '',
    ...(message === null ? [] : [`Why:  ${code === null ? '' : `${code}: `}${visible(message)}`]),
    ...(next === null ? [] : [`Next: ${visible(next.text)}`]),
    ...(command === null ? [] : [`      ${command}`]),
  ];
}

function commandFor(act: NextStep['act'], upstream: string, label: string): string | null {
  const name = visible(upstream);
  const signIn = `gatehouse upstreams sign-in ${name}`;
  switch (act) {
    case 'paste_client_id':
      return `${signIn} --client-id ID`;
    case 'use_classic_oauth':
      return `${signIn} --mode oauth --preset VENDOR --client-id ID`;
    case 'allow_host':
      return `gatehouse upstreams set ${name} --private-addresses allow`;
    case 'allow_no_pkce':
      return `${signIn} --allow-no-pkce yes`;
    case 'set_redirect':
      return `${signIn} --redirect localhost:8765`;
    case 'try_again':
    case 'paste_key':
    case 'unlock_keychain':
      return `gatehouse upstreams connect ${name} --account '${visible(label)}'`;
    case 'ask_vendor':
      return `gatehouse upstreams trace ${name}`;
    // The address is the upstream itself: another one is another upstream.
    case 'check_url':
      return null;
  }
}
