import { expect, test } from 'vitest';
import type { Aim } from '../../../electron/core/call/aim.ts';
import { type AskClientParts, createAskClient } from '../../../electron/core/call/ask-client.ts';
import type { ToolCall } from '../../../electron/core/call-tool.ts';
import { written } from '../../../electron/core/exact-text.ts';
import { decide } from '../../../electron/core/policy/decide.ts';
import { createRateLimits } from '../../../electron/core/policy/rate-limits.ts';
import type { Policy, Rule } from '../../../shared/model.ts';
import { fakeClock } from '../../support/fake-clock.ts';

const call = {
  requestId: 'r',
  workspace: { id: 'w', name: 'Personal' },
  client: { id: 'c', name: 'agent', tags: [], holdMs: 0 },
  key: { id: 'k', prefix: 'gh_' },
  sessionId: null,
  capabilities: { sampling: {}, elicitation: {} },
  left: () => new AbortController().signal,
} as unknown as ToolCall;
const aim = {
  name: 'work',
  fingerprint: 'f',
  state: 'reviewed',
  upstream: { id: 'u', name: 'server', tags: [] },
} as unknown as Aim;
const question = {
  method: 'sampling/createMessage',
  params: written({
    messages: [{ role: 'user', content: { type: 'text', text: 'user text, key hunter2' } }],
    maxTokens: 100,
  }),
};

function asker(...rules: readonly Rule[]) {
  const policy: Policy = { defaultEffect: 'allow', rules };
  const entries: unknown[] = [];
  const clock = fakeClock();
  const parts: AskClientParts = {
    policies: { get: () => ({ policy, problem: null, version: '1' }) },
    decide,
    approvals: { request: async () => ({ kind: 'unavailable', reason: 'Nobody is there.' }) },
    pauses: { pausedFor: () => null },
    audit: { writeSoon: (entry: unknown) => void entries.push(entry) } as unknown as AskClientParts['audit'],
    rateLimits: createRateLimits({ clock }),
    clock,
  };
  const askClient = createAskClient(parts);
  const delivered: string[] = [];
  const ask = (wanted = question) =>
    askClient(call, aim, wanted, async (_method, params) => {
      delivered.push(params.text);
      return { kind: 'result', result: written({}) };
    });
  return { ask, askClient, delivered, entries, clock };
}

const cleans: Rule = {
  name: 'clean',
  match: { kind: ['sampling'] },
  redactArgs: [{ pattern: 'hunter[0-9]|user|text' }],
};

test('what a rule takes out of a question reaches neither the client nor the audit, and the protocol stays what it is', async () => {
  const { ask, askClient, delivered, entries } = asker(cleans);
  await ask();
  const left =
    '{"messages":[{"role":"user","content":{"type":"text","text":"[redacted] [redacted], key [redacted]"}}],"maxTokens":100}';
  expect(delivered).toEqual([left]);
  expect(await askClient.judged(call, aim, question)).toMatchObject({ refusal: null, params: { text: left } });
  expect(JSON.stringify(entries)).not.toContain('hunter2');
  expect(entries[0]).toMatchObject({
    outcome: 'delivered',
    detail: { argumentRedactions: [{ rule: 'clean', count: 3 }] },
  });
});

test('a question of which nothing is taken out goes on as the very same', async () => {
  const { askClient } = asker({ ...cleans, match: { kind: ['elicitation'] } });
  expect((await askClient.judged(call, aim, question)).params).toBe(question.params);
});

test('questions are counted like calls, and a rule finds them by their method', async () => {
  const slow: Rule = {
    name: 'slow',
    match: { tool: ['sampling/*'] },
    rateLimit: { calls: 1, per: '1m', by: 'upstream' },
  };
  const { ask, askClient, delivered, entries, clock } = asker(slow);
  await ask();
  expect(await ask()).toMatchObject({
    kind: 'error',
    message: expect.stringContaining('the rule "slow" lets 1 call of server run'),
  });
  expect(await askClient.judged(call, aim, question)).toMatchObject({
    refusal: { errorClass: 'rate_limited', rule: 'slow' },
  });
  expect(delivered).toHaveLength(1);
  expect(entries.at(-1)).toMatchObject({ outcome: 'refused', errorClass: 'rate_limited', rule: 'slow' });
  await clock.advance(60_000);
  expect(await ask()).toMatchObject({ kind: 'result' });
});

test('a rule that denies what is left of a question denies it', async () => {
  const { ask, delivered } = asker(cleans, {
    name: 'marks',
    effect: 'deny',
    match: { arguments: { field: '/messages/0/content/text', op: 'contains', value: '[redacted]' } },
  });
  expect(await ask()).toMatchObject({ kind: 'error', message: expect.stringContaining('"marks"') });
  expect(delivered).toEqual([]);
});
