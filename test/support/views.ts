import type { ApprovalView, ConfirmationView } from '../../shared/model.ts';

/** A card for a harmless call, with what the test is about put in. */
export function approvalView(over: Partial<ApprovalView> = {}): ApprovalView {
  return {
    id: 'a1',
    requestId: 'r1',
    workspace: 'Personal',
    clientId: 'c1',
    client: 'Claude Code',
    callsItself: 'claude-code',
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
