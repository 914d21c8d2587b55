import type { Failure } from './channel.ts';
import { type Fault, neverAnswered } from './faults.ts';
import { inWords } from './limits.ts';
import type { LinkParts } from './link.ts';

/** The one revision of the modern era that we speak. */
export const MODERN = '2026-07-28';

type About = Pick<LinkParts, 'name' | 'url' | 'era' | 'limits'>;

/** `garbage`: lines it printed that are no messages. */
export function timedOut({ name, url, limits }: About, garbage: number): Failure {
  const message =
    url === null
      ? neverAnswered(name, limits.startMs, garbage)
      : `${name} did not answer within ${inWords(limits.startMs)}.`;
  return { kind: 'failure', errorClass: 'upstream_timeout', message, retry: url === null ? 'bounded' : 'patient' };
}

export function endedAtStart(about: About, ending: string): Failure {
  const message = `${about.name} ${ending} before it could be used. The last lines it wrote say more.${onlyEra(about)}`;
  return { kind: 'failure', errorClass: 'upstream_unreachable', message, retry: 'bounded' };
}

export function badHandshake(about: About): Failure {
  const message = `${about.name} was started, but its answer to the handshake is not MCP as Gatehouse knows it.${onlyEra(about)}`;
  return { kind: 'failure', errorClass: 'upstream_unreachable', message, retry: 'bounded' };
}

/** It said so, and a process says the same when it is asked again. What an address leads to may change. */
export function notModern({ name, url }: About): Failure {
  const message = `${name} is set to the modern era (${MODERN}), which it does not speak. ${change(name)}`;
  return { kind: 'failure', errorClass: 'upstream_unreachable', message, retry: url === null ? 'never' : 'patient' };
}

export function unreachable({ name }: About, fault: Fault): Failure {
  if (fault.failure !== undefined) return fault.failure;
  if (fault.errorClass === 'auth_required') {
    return { kind: 'failure', errorClass: 'auth_required', message: `${name} ${fault.words}.`, retry: 'never' };
  }
  return { kind: 'failure', errorClass: 'upstream_unreachable', message: `${name} ${fault.words}.`, retry: 'patient' };
}

function onlyEra({ name, era }: About): string {
  return era === 'auto' ? '' : ` It is set to the ${era} era; it may speak only the other one. ${change(name)}`;
}

function change(name: string): string {
  return `To have it asked: gatehouse upstreams set ${name} --era auto`;
}
