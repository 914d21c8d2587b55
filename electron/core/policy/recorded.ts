import { REDACTED } from '../audit/redact.ts';
import type { RecordedCall } from '../audit/scan.ts';
import { UNTOLD } from './conditions.ts';
import type { CallFacts } from './facts.ts';

/** What the policy may know of a call from its record: a value that was redacted or cut is `UNTOLD`, never guessed. */
export function factsOfRecorded(call: RecordedCall): CallFacts {
  return {
    workspace: call.workspace ?? '',
    kind: call.kind,
    upstream: call.upstream,
    upstreamTags: call.upstreamTags,
    connection: call.connection,
    tool: call.tool,
    risk: call.risk,
    fingerprint: call.fingerprint ?? '',
    // What is not reviewed never comes as far as the rules.
    state: 'reviewed',
    client: call.client,
    clientTags: call.clientTags,
    keyId: call.keyId ?? '',
    keyPrefix: call.keyPrefix ?? '',
    session: call.session,
    at: call.at,
    arguments: argumentsOf(call),
    ...(call.keyId === null ? { untold: ['key'] } : {}),
  };
}

/** What of a record's arguments is not what the call had, in a sentence each; none when all of them are. */
export function untoldOf(call: RecordedCall): readonly string[] {
  const redacted = call.argumentsText.split(REDACTED).length - 1;
  return [
    ...(call.isCut ? ['The arguments were too long to be kept whole.'] : []),
    ...(redacted === 0 ? [] : [`${redacted} ${redacted === 1 ? 'value was' : 'values were'} redacted.`]),
  ];
}

function argumentsOf({ argumentsText, isCut }: RecordedCall): unknown {
  if (isCut) return UNTOLD;
  try {
    return withUntold(JSON.parse(argumentsText));
  } catch {
    return UNTOLD;
  }
}

function withUntold(value: unknown): unknown {
  if (typeof value === 'string') return value.includes(REDACTED) ? UNTOLD : value;
  if (Array.isArray(value)) return value.map(withUntold);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, withUntold(one)]));
}
