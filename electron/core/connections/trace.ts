import type { TraceStep } from '../../../shared/connections.ts';
import type { Clock } from '../platform.ts';

/** One step as it is told; what is left out was not there. */
export interface Told {
  readonly name: TraceStep['name'];
  readonly outcome: TraceStep['outcome'];
  readonly message: string;
  readonly request?: { readonly method: string; readonly url: string } | null;
  readonly status?: number | null;
  readonly read?: readonly string[];
}

/** What a sign-in, a renewal or a sign-out did, step by step, for the person who wants to know why it failed. */
export interface Trace {
  step(told: Told): void;
  /** From now on this text stands in no step, and is taken out of those before. Short texts would hide too much. */
  hide(secret: string | null): void;
  /** Bounded in number and size, whatever a server sends. */
  steps(): readonly TraceStep[];
}

/** `onStep` is called after each step, for those who watch. */
export function createTrace(clock: Clock, onStep: () => void = () => {}): Trace {
  const steps: TraceStep[] = [];
  const secrets = new Set<string>();

  function clean(text: string): string {
    let shown = text;
    for (const secret of secrets) shown = shown.replaceAll(secret, REMOVED);
    return shown;
  }

  return {
    step({ name, outcome, message, request = null, status = null, read = [] }) {
      const step: TraceStep = {
        at: clock.now(),
        name,
        outcome,
        message: plain(message, MOST_MESSAGE),
        request: request === null ? null : { method: request.method, url: plain(shownUrl(request.url), MOST_URL) },
        status,
        read: read.slice(0, MOST_LINES).map((line) => plain(line, MOST_LINE)),
      };
      // What failed last is what matters: a flood loses its middle.
      if (steps.length >= MOST_STEPS) steps.splice(MOST_STEPS / 2, 1);
      steps.push(step);
      onStep();
    },
    hide(secret) {
      if (secret === null || secret.length < SHORTEST_SECRET) return;
      for (const form of [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]) secrets.add(form);
    },
    steps: () =>
      steps.map((step) => ({
        ...step,
        message: clean(step.message),
        request: step.request === null ? null : { ...step.request, url: clean(step.request.url) },
        read: step.read.map(clean),
      })),
  };
}

/** Foreign text as it may stand in a sentence: one line, nothing that is not drawn, bounded. */
export function plain(text: string, most: number): string {
  // Cut before and after: a pattern over a megabyte is work for nothing, and a replaced character may be longer.
  const line = text
    .slice(0, most * 2)
    .replace(UNDRAWN, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return line.length <= most ? line : `${line.slice(0, most - 1).trimEnd()}…`;
}

/** An address without user name, password and fragment, and with the values alone of parameters that hold no secret. */
export function shownUrl(address: string): string {
  if (!URL.canParse(address)) return address;
  const url = new URL(address);
  const query = [...url.searchParams].map(([name, value]) =>
    OPEN_PARAMETERS.has(name) ? `${name}=${encodeURIComponent(value)}` : `${encodeURIComponent(name)}=${REMOVED}`,
  );
  // Of other schemes there is no origin: the scheme is all that can be trusted to be one.
  const start = url.origin === 'null' ? `${url.protocol}//${url.host}` : url.origin;
  return `${start}${url.pathname}${query.length === 0 ? '' : `?${query.join('&')}`}`;
}

const REMOVED = '…';
const OPEN_PARAMETERS = new Set([
  'response_type',
  'client_id',
  'redirect_uri',
  'scope',
  'resource',
  'code_challenge_method',
  'prompt',
  'iss',
  'error',
]);
/** Controls, separators, format characters (direction, zero width), private use, lone surrogates, fillers. */
const UNDRAWN = /\p{Cc}|\p{Zl}|\p{Zp}|\p{Cf}|\p{Co}|\p{Cs}|\p{Default_Ignorable_Code_Point}/gu;
const SHORTEST_SECRET = 6;
const MOST_STEPS = 64;
const MOST_MESSAGE = 500;
const MOST_URL = 600;
const MOST_LINES = 20;
const MOST_LINE = 300;
