import { createHash } from 'node:crypto';
import Database from 'better-sqlite3';
import { expect } from 'vitest';
import { approvalsAnswersSchema, approvalsSchema, createApprovals } from '../../electron/core/approvals/approvals.ts';
import { createApprovers } from '../../electron/core/approvals/approvers.ts';
import type { ApprovalRequest } from '../../electron/core/approvals/request.ts';
import type { AuditWritten } from '../../electron/core/audit/audit.ts';
import type { ApprovalView, Client, StandingScope } from '../../shared/model.ts';
import { fakeClock } from './fake-clock.ts';

export const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

export const client = (id: string): Client => ({
  id,
  workspaceId: 'w',
  name: `agent ${id}`,
  callsItself: null,
  tags: [],
  upstreams: null,
  scopeTags: [],
  holdMs: 50_000,
  createdAt: 0,
});

/** Approvals over a database in memory and a clock moved by hand, and calls that ask them. */
export function world({ db = new Database(':memory:'), schema = true, approver = true } = {}) {
  if (schema) db.exec(approvalsSchema + approvalsAnswersSchema);
  const clock = fakeClock();
  const approvers = createApprovers();
  const leave = approver ? approvers.arrive('dashboard') : () => {};
  const approvals = createApprovals({
    db,
    clock,
    approvers,
    decideMs: 300_000,
    redeemMs: 600_000,
  });
  const cards: ApprovalView[] = [];
  approvals.onCard((card) => cards.push(card));
  const asked: ApprovalView[] = [];
  const lapsed: ApprovalView[] = [];
  let changes = 0;
  approvals.onChange(() => {
    changes++;
  });

  function call(more: Partial<ApprovalRequest> = {}) {
    const aborter = new AbortController();
    const waiting: ApprovalView[] = [];
    const request: ApprovalRequest = {
      requestId: 'r',
      workspace: 'Personal',
      client: client('c1'),
      keyId: 'k1',
      sessionId: 's1',
      upstreamId: 'u1',
      upstream: 'files',
      connection: null,
      tool: 'write_file',
      title: null,
      risk: 'write',
      fingerprint: 'f1',
      decision: { effect: 'require_approval', rule: 'ask', reason: 'The rule "ask" asks.', standing: null },
      argumentsText: '{"path":"/a","n":9007199254740993}',
      holdMs: 50_000,
      signal: aborter.signal,
      onWaiting: (approval) => waiting.push(approval),
      recordAsked: async (approval): Promise<AuditWritten> => {
        asked.push(approval);
        return { kind: 'written', seq: 1 };
      },
      recordLapsed: (approval) => lapsed.push(approval),
      ...more,
    };
    return { answer: approvals.request(request), leave: () => aborter.abort(), waiting, request };
  }
  /** Lets whatever is ready happen. */
  const settle = () => clock.advance(0);
  const yes = (id: string, scope: StandingScope = 'once', text = '{"path":"/a","n":9007199254740993}') =>
    approvals.approve(id, { argumentsSha256: sha256(text), scope }, 'dashboard');
  const only = () => {
    const list = approvals.list('waiting');
    expect(list).toHaveLength(1);
    return list[0]!;
  };
  return {
    db,
    clock,
    approvers,
    leave,
    approvals,
    cards,
    asked,
    lapsed,
    changes: () => changes,
    call,
    settle,
    yes,
    only,
  };
}
