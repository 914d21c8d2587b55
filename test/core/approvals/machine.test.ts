import Database from 'better-sqlite3';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  approvalsAnswersSchema,
  approvalsSchema,
  createApprovals,
} from '../../../electron/core/approvals/approvals.ts';
import { createApprovers } from '../../../electron/core/approvals/approvers.ts';
import { canonicalArguments } from '../../../electron/core/approvals/canonical.ts';
import type { ApprovalRequest } from '../../../electron/core/approvals/request.ts';
import type { StandingScope } from '../../../shared/model.ts';
import { client, sha256 } from '../../support/approvals-world.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { sameCasesEveryTime } from '../../support/seed.ts';

sameCasesEveryTime();

const MINUTE = 60_000;
const REDEEM_MS = 10 * MINUTE;

/** Two ways to write each of two calls, so that a retry is not the same text. */
const TEXTS = ['{"n":1,"m":0}', '{ "m":0, "n":1 }', '{"n":2,"m":0}', '{"m":0,"n":2 }'] as const;
const EDITED = ['{"n":7}', '{ "n" : 8 }'] as const;

const pick = fc.nat({ max: 7 });
const op = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ op: fc.constant('call' as const), who: pick, tool: pick, text: pick, hold: fc.boolean() }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('approve' as const),
      which: pick,
      scope: pick,
      edited: pick,
      wrong: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('deny' as const), which: pick, many: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('leave' as const), which: pick }) },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('wait' as const),
      ms: fc.constantFrom(1000, MINUTE, 5 * MINUTE, 10 * MINUTE),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('clock' as const), by: fc.constantFrom(-24 * 60 * MINUTE, 20 * MINUTE) }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('key ends' as const), who: pick }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('tool changes' as const), tool: pick }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('revoke' as const), which: pick }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('lock' as const) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('restart' as const) }) },
);
type Op = typeof op extends fc.Arbitrary<infer One> ? One : never;

const SCOPES: readonly StandingScope[] = ['once', 'once', 'once', 'once', 'session', 'minutes15', 'tool', 'values'];

/** What a person gave, as the rules of the design say it; nothing of the code under test is in it. */
interface Yes {
  readonly bound: string;
  readonly text: string;
  readonly keyId: string;
  readonly until: number;
}
interface Trust {
  readonly id: string;
  readonly asker: string;
  readonly scope: StandingScope;
  readonly sessionId: string | null;
  readonly keyId: string;
  readonly value: string;
  readonly until: number;
}

/** The parts of a call that a yes, and trust in a tool, are bound to. */
const askerOf = (call: Pick<ApprovalRequest, 'client' | 'tool' | 'fingerprint'>) =>
  JSON.stringify([call.client.id, call.tool, call.fingerprint]);
const boundOf = (call: ApprovalRequest) => `${askerOf(call)} ${canonicalArguments(call.argumentsText)}`;
const numberIn = (text: string) => String((JSON.parse(text) as { n: number }).n);

/** A Gatehouse over what the last one left on disk. */
function open(db: Database.Database, wall?: number) {
  const clock = fakeClock(wall);
  const approvers = createApprovers();
  let leave = approvers.arrive('desktop');
  const lock = () => {
    leave();
    leave = approvers.arrive('desktop');
  };
  return { clock, approvals: createApprovals({ db, clock, approvers }), lock };
}

/** Runs the steps against the model; gives how many calls ran by a yes and by trust. */
async function run(ops: readonly Op[]): Promise<{ readonly byYes: number; readonly byTrust: number }> {
  const db = new Database(':memory:');
  db.exec(approvalsSchema + approvalsAnswersSchema);
  let { clock, approvals, lock } = open(db);
  /** Monotonic, over all restarts: a clock that is set gives nobody more time. */
  let passed = 0;
  const faults: unknown[] = [];
  let [byYes, byTrust] = [0, 0];
  let held: { readonly call: ApprovalRequest; readonly abort: () => void; over: boolean }[] = [];
  let yeses: Yes[] = [];
  let trusts: Trust[] = [];
  const keys = ['k0', 'k1', 'k2', 'k3'];
  const fingerprints = ['f0', 'f1'];
  /** Every card that was shown, by its id: what stood on it. */
  const shown = new Map<string, ApprovalRequest>();
  let requests = 0;

  /** The one claim: what runs was said yes to, has not run by that yes before, and is what was shown or written. */
  function ran(call: ApprovalRequest, text: string): void {
    const at = yeses.findIndex((yes) => yes.bound === boundOf(call) && yes.text === text && passed < yes.until);
    expect(at, `a yes for ${boundOf(call)} to run ${text}`).toBeGreaterThanOrEqual(0);
    yeses.splice(at, 1);
    byYes += 1;
  }
  function ranByTrust(call: ApprovalRequest, id: string | null): void {
    const covers = trusts.some(
      (trust) =>
        (id === null || trust.id === id) &&
        trust.asker === askerOf(call) &&
        passed < trust.until &&
        (trust.scope !== 'session' || trust.sessionId === call.sessionId) &&
        (trust.scope !== 'values' || trust.value === numberIn(call.argumentsText)),
    );
    expect(covers, `trust that covers ${boundOf(call)}`).toBe(true);
    byTrust += 1;
  }

  async function make(step: Op & { op: 'call' }): Promise<void> {
    const who = step.who % 4;
    const aborter = new AbortController();
    const call: ApprovalRequest = {
      requestId: `r${++requests}`,
      workspace: 'Personal',
      client: client(who < 2 ? 'c1' : 'c2'),
      keyId: keys[who]!,
      sessionId: who % 2 === 0 ? `s${who}` : null,
      upstreamId: 'u1',
      upstream: 'files',
      connection: null,
      tool: `t${step.tool % 2}`,
      title: null,
      risk: 'write',
      fingerprint: fingerprints[step.tool % 2]!,
      decision: { effect: 'require_approval', rule: null, reason: 'It asks.', standing: null },
      argumentsText: TEXTS[step.text % TEXTS.length]!,
      holdMs: step.hold ? 50_000 : 0,
      signal: aborter.signal,
      onWaiting() {},
      recordAsked: async (card) => {
        shown.set(card.id, call);
        return { kind: 'written', seq: 1 };
      },
      recordLapsed() {},
      checkEdited: () => null,
    };
    // As call-tool.ts does it: trust first, then the person.
    const bound = { ...call, clientId: call.client.id };
    const trust = approvals.standingFor(bound);
    if (trust !== null) {
      const late = yeses.findIndex((yes) => yes.bound === boundOf(call) && passed < yes.until);
      // It is used up by this run, and what the person wrote for this very call would have come first.
      for (const { text } of late < 0 ? [] : yeses.splice(late, 1)) expect(EDITED).not.toContain(text);
      return ranByTrust(call, trust);
    }
    const caller = { call, abort: () => aborter.abort(), over: false };
    held.push(caller);
    const heard = approvals.request(call).then((answer) => {
      // Of a Gatehouse that was ended meanwhile nobody hears.
      if (!held.includes(caller)) return;
      caller.over = true;
      if (answer.kind !== 'approved') return;
      if (answer.by === 'standing approval') ranByTrust(call, null);
      else ran(call, answer.argumentsText);
      expect(answer.edited).toBe(answer.argumentsText !== shown.get(answer.approval.id)?.argumentsText);
    });
    heard.catch((fault: unknown) => faults.push(fault));
    await clock.advance(0);
  }

  function approve(step: Op & { op: 'approve' }): void {
    const waiting = approvals.list('waiting');
    const card = waiting[step.which % Math.max(1, waiting.length)];
    if (!card) return;
    const call = shown.get(card.id)!;
    expect(card.argumentsText).toBe(call.argumentsText);
    const edited = EDITED[step.edited] ?? null;
    const scope = edited === null ? SCOPES[step.scope]! : 'once';
    // Trust is for the caller that gets the yes, else for the one that asked last; the model takes both for possible.
    const same = held.filter((one) => boundOf(one.call) === boundOf(call));
    const before = new Set(approvals.standing().map(({ id }) => id));
    const argumentsSha256 = step.wrong ? sha256('else') : card.argumentsSha256;
    // The answer of a caller that waits comes in a later turn: what it may run is written down first.
    const yes = {
      bound: boundOf(call),
      text: edited ?? call.argumentsText,
      keyId: call.keyId,
      until: passed + REDEEM_MS,
    };
    const said = approvals.approve(card.id, { argumentsSha256, scope, pins: ['/n'], edited }, 'dashboard');
    expect(said.kind === 'done' && step.wrong).toBe(false);
    if (said.kind !== 'done') return;
    yeses.push(yes);
    for (const { id } of approvals.standing().filter((one) => !before.has(one.id)))
      for (const { call: trustee } of same.length > 0 ? same : [{ call }])
        trusts.push({
          id,
          asker: askerOf(trustee),
          scope,
          sessionId: trustee.sessionId,
          keyId: trustee.keyId,
          value: numberIn(call.argumentsText),
          until: scope === 'minutes15' ? passed + 15 * MINUTE : Number.POSITIVE_INFINITY,
        });
  }

  for (const step of ops) {
    switch (step.op) {
      case 'call':
        await make(step);
        break;
      case 'approve':
        approve(step);
        break;
      case 'deny': {
        const waiting = approvals.list('waiting').map(({ id }) => id);
        if (step.many) approvals.denyMany(waiting.slice(0, 1 + step.which), '', 'dashboard');
        else if (waiting.length > 0) approvals.deny(waiting[step.which % waiting.length]!, '', 'dashboard');
        break;
      }
      case 'leave':
        held.filter(({ over }) => !over)[step.which]?.abort();
        break;
      case 'wait':
        // The model's time first: an end that is due comes within the wait.
        passed += step.ms;
        await clock.advance(step.ms);
        break;
      case 'clock':
        clock.set(clock.now() + step.by);
        break;
      case 'key ends': {
        const who = step.who % 4;
        const ended = keys[who]!;
        approvals.cancelForKey(ended);
        keys[who] = `${ended}'`;
        yeses = yeses.filter(({ keyId }) => keyId !== ended);
        trusts = trusts.filter(({ keyId }) => keyId !== ended);
        break;
      }
      case 'tool changes': {
        const at = step.tool % 2;
        approvals.cancelForTool('u1', `t${at}`);
        fingerprints[at] += "'";
        break;
      }
      case 'revoke': {
        const id = approvals.standing()[step.which]?.id;
        if (id === undefined) break;
        approvals.revokeStanding(id);
        trusts = trusts.filter((trust) => trust.id !== id);
        break;
      }
      case 'lock':
        lock();
        trusts = trusts.filter(({ scope }) => scope === 'tool' || scope === 'values');
        break;
      case 'restart':
        held = [];
        yeses = [];
        trusts = trusts.filter(({ scope }) => scope === 'tool' || scope === 'values');
        ({ clock, approvals, lock } = open(db, clock.now()));
        break;
    }
    await clock.advance(0);
    if (faults.length > 0) throw faults[0];
  }
  db.close();
  return { byYes, byTrust };
}

test('whatever is called, answered, edited, left, ended and restarted: nothing runs without a yes, twice, or otherwise than shown', async () => {
  const total = { byYes: 0, byTrust: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(op, { minLength: 10, maxLength: 80, size: 'max' }), async (ops) => {
      const { byYes, byTrust } = await run(ops);
      total.byYes += byYes;
      total.byTrust += byTrust;
    }),
    { numRuns: 400 },
  );
  // It is about something: calls did run.
  expect(total.byYes).toBeGreaterThan(200);
  expect(total.byTrust).toBeGreaterThan(50);
});
