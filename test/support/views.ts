import type { ApprovalView, AuditEntryView, AuditRecordView, ConfirmationView } from '../../shared/model.ts';

/** A card for a harmless call, with what the test is about put in. */
export function approvalView(over: Partial<ApprovalView> = {}): ApprovalView {
  return {
    id: 'a1',
    requestId: 'r1',
    group: over.id ?? 'a1',
    workspace: 'Personal',
    clientId: 'c1',
    client: 'Claude Code',
    callsItself: 'claude-code',
    session: null,
    upstream: 'notes',
    connection: null,
    tool: 'append',
    title: null,
    risk: 'write',
    fingerprint: 'f1',
    rule: null,
    reason: 'No rule matches.',
    argumentsText: '{"text":"hello"}',
    argumentsSha256: 'sha-1',
    editable: true,
    editedSha256: null,
    previous: null,
    held: null,
    state: 'waiting',
    callerLeft: false,
    createdAt: 1,
    expiresAt: 300_001,
    decidedAt: null,
    decidedBy: null,
    denyReason: null,
    ...over,
  };
}

export function confirmationView(over: Partial<ConfirmationView> = {}): ConfirmationView {
  return {
    id: 'k1',
    kind: 'key',
    title: 'Create a key',
    lines: [{ label: 'Name', value: 'my-agent' }],
    requestedBy: 'command line',
    createdAt: 1,
    expiresAt: 300_001,
    ...over,
  };
}

/** A record of which nothing is known but what is given. */
export function recordView(over: Partial<AuditRecordView> = {}): AuditRecordView {
  return {
    requestId: 'r1',
    at: 0,
    workspace: null,
    clientId: null,
    client: null,
    keyPrefix: null,
    session: null,
    era: null,
    upstream: null,
    connection: null,
    tool: null,
    kind: 'tool_call',
    risk: null,
    fingerprint: null,
    effect: null,
    rule: null,
    reason: null,
    standing: null,
    approval: null,
    approvedBy: null,
    edited: false,
    outcome: null,
    errorClass: null,
    errorCode: null,
    totalMs: null,
    upstreamMs: null,
    waitedMs: null,
    argumentsBytes: null,
    argumentsSha256: null,
    resultBytes: null,
    resultSha256: null,
    entries: [],
    ...over,
  };
}

export function entryView(over: Partial<AuditEntryView> = {}): AuditEntryView {
  return {
    seq: 1,
    at: 0,
    phase: 'ended',
    kind: 'tool_call',
    requestId: 'r1',
    workspace: null,
    clientId: null,
    client: null,
    keyPrefix: null,
    upstream: null,
    tool: null,
    effect: null,
    rule: null,
    outcome: null,
    errorClass: null,
    detail: {},
    hash: '',
    ...over,
  };
}
