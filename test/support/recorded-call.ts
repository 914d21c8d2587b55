import type { RecordedCall } from '../../electron/core/audit/scan.ts';

/** A call that a rule let run, with what the test is about put in. */
export function recordedCall(over: Partial<RecordedCall> = {}): RecordedCall {
  return {
    requestId: 'r1',
    seq: 1,
    at: 1_000,
    workspace: 'Personal',
    clientId: 'c1',
    client: 'agent',
    clientTags: [],
    keyId: 'k1',
    keyPrefix: 'gh_abcd',
    session: null,
    era: 'modern',
    upstream: 'files',
    upstreamTags: [],
    connection: null,
    kind: 'tool',
    tool: 'write_file',
    risk: 'write',
    fingerprint: 'f1',
    argumentsText: '{}',
    isCut: false,
    argumentsSha256: null,
    effect: 'allow',
    rule: 'old rule',
    standing: null,
    trust: null,
    policy: '1',
    approval: null,
    approvedBy: null,
    waitedMs: null,
    outcome: 'answered',
    errorClass: null,
    ...over,
  };
}
