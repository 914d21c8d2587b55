import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Found } from '../../../electron/core/call/aim.ts';
import { type CallToolParts, callTool, type ToolCall } from '../../../electron/core/call-tool.ts';
import { createArgumentCheck } from '../../../electron/core/catalog/validate-arguments.ts';
import { silentLog } from '../../../electron/core/diagnosis/log.ts';
import { alwaysDenied, decide, mildestEffect } from '../../../electron/core/policy/decide.ts';
import { explain } from '../../../electron/core/policy/explain.ts';
import { compileGlob } from '../../../electron/core/policy/glob.ts';
import { createRateLimits } from '../../../electron/core/policy/rate-limits.ts';
import { redactArguments } from '../../../electron/core/policy/redact-arguments.ts';
import { applyResultRules } from '../../../electron/core/policy/redact-result.ts';
import { parseYaml, toYaml } from '../../../electron/core/policy/yaml.ts';
import type { Effect, Policy, Redaction, RuleModifiers } from '../../../shared/model.ts';
import { noConnections } from '../../support/connections.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { sameCasesEveryTime } from '../../support/seed.ts';
import * as some from './arbitrary.ts';
import { someFacts } from './facts.ts';

sameCasesEveryTime();

const OPENNESS: Readonly<Record<Effect, number>> = { deny: 0, require_approval: 1, allow: 2 };
const holds = <T>(arbitrary: fc.Arbitrary<T>, property: (value: T) => void, numRuns = 150) =>
  fc.assert(fc.property(arbitrary, property), { numRuns });

describe('for every policy and every call', () => {
  test('the order of rules never matters', () => {
    holds(fc.tuple(some.policy, some.facts, fc.infiniteStream(fc.nat())), ([policy, facts, keys]) => {
      const shuffled = policy.rules
        .map((rule) => ({ rule, key: keys.next().value }))
        .toSorted((a, b) => a.key - b.key)
        .map(({ rule }) => rule);
      expect(decide({ ...policy, rules: shuffled }, facts)).toEqual(decide(policy, facts));
    });
  });

  test('adding a deny never allows more', () => {
    holds(fc.tuple(some.policy, some.match, some.facts), ([policy, match, facts]) => {
      const more: Policy = { ...policy, rules: [...policy.rules, { name: 'added', effect: 'deny', match }] };
      expect(OPENNESS[decide(more, facts).effect]).toBeLessThanOrEqual(OPENNESS[decide(policy, facts).effect]);
    });
  });

  test('removing an allow never allows more', () => {
    holds(fc.tuple(some.policy, some.facts), ([policy, facts]) => {
      const before = OPENNESS[decide(policy, facts).effect];
      for (const rule of policy.rules.filter(({ effect }) => effect === 'allow')) {
        const less = { ...policy, rules: policy.rules.filter((one) => one !== rule) };
        // Where the default is milder than what an allow rule says, there is nothing that it opened.
        if (policy.defaultEffect === 'allow') continue;
        expect(OPENNESS[decide(less, facts).effect]).toBeLessThanOrEqual(before);
      }
    });
  });

  test('a modifier changes no effect, and takes none of the others away', () => {
    holds(fc.tuple(some.policy, some.match, some.facts), ([policy, match, facts]) => {
      const added = { name: 'added', match, redactArgs: [{ name: 'secrets' }] } as const;
      const before = decide(policy, facts);
      const after = decide({ ...policy, rules: [...policy.rules, added] }, facts);
      expect([after.effect, after.rule]).toEqual([before.effect, before.rule]);
      expect(after.modifiers?.filter(({ rule }) => rule !== 'added') ?? []).toEqual(before.modifiers ?? []);
    });
  });

  test('what cannot be told never opens anything: knowing it makes no call more restricted than it was', () => {
    holds(fc.tuple(some.policy, some.facts), ([policy, facts]) => {
      const { untold: _untold, ...told } = facts;
      const known = OPENNESS[decide(policy, told).effect];
      expect(OPENNESS[decide(policy, facts).effect]).toBeLessThanOrEqual(known);
      expect(OPENNESS[mildestEffect(policy, facts)]).toBeGreaterThanOrEqual(known);
    });
  });

  test('a tool that is always denied is denied whatever varies', () => {
    holds(fc.tuple(some.policy, some.facts, some.facts), ([policy, facts, other]) => {
      if (!alwaysDenied(policy, facts)) return;
      const { arguments: value, at, session, connection } = other;
      const { untold: _untold, ...told } = facts;
      expect(decide(policy, { ...told, arguments: value, at, session, connection }).effect).toBe('deny');
    });
  });

  test('the explanation decides as the decision does, and names the rule that decided', () => {
    holds(fc.tuple(some.policy, some.facts), ([policy, facts]) => {
      const { decision, rules, certain } = explain(policy, facts);
      expect(decision).toEqual(decide(policy, facts));
      expect(rules.filter(({ decided }) => decided).map(({ rule }) => rule)).toEqual(
        decision.rule === null ? [] : [decision.rule],
      );
      expect(
        rules
          .filter(({ applied }) => applied)
          .map(({ rule }) => rule)
          .toSorted(),
      ).toEqual((decision.modifiers ?? []).map(({ rule }) => rule).toSorted());
      if (!rules.some(({ matched }) => matched === 'unknown')) expect(certain).toBe(true);
    });
  });

  test('nothing throws, whatever stands in the place of policy and call', () => {
    const anyFacts = fc.oneof(
      some.facts,
      fc.record({ arguments: fc.anything() }).map((odd) => someFacts(odd)),
      fc.anything(),
    );
    holds(
      fc.tuple(
        fc.oneof(some.policy, fc.anything(), fc.record({ defaultEffect: some.effect, rules: fc.array(fc.anything()) })),
        anyFacts,
      ),
      ([policy, facts]) => {
        const { effect } = decide(policy as Policy, facts as never);
        expect(['allow', 'deny', 'require_approval']).toContain(effect);
        explain((policy ?? null) as Policy, facts as never);
      },
    );
  });

  test('YAML gives back the policy that was written', () => {
    holds(
      some.policy,
      (policy) => {
        const yaml = toYaml(policy);
        expect(parseYaml(yaml)).toEqual({ kind: 'done', policy });
        expect(toYaml((parseYaml(yaml) as { policy: Policy }).policy)).toBe(yaml);
      },
      40,
    );
  });

  test('any text is a policy or a refusal that says where', () => {
    holds(
      fc.oneof(
        fc.string(),
        some.policy
          .map(toYaml)
          .chain((yaml) => fc.nat({ max: yaml.length }).map((at) => yaml.slice(0, at) + yaml.slice(at + 1))),
      ),
      (yaml) => {
        const read = parseYaml(yaml);
        if (read.kind === 'refused') expect(read.line).toBeGreaterThan(0);
      },
      200,
    );
  });
});

test('a glob means what its regular expression means', () => {
  const letters = fc.constantFrom('a', 'b', '.', '😀', '\n');
  const globs = fc
    .array(fc.oneof(letters, fc.constantFrom('*', '*', '?')), { maxLength: 6 })
    .map((parts) => parts.join(''));
  holds(
    fc.tuple(globs, fc.array(letters, { maxLength: 6 })),
    ([glob, name]) => {
      const quoted = Array.from(glob, (one) => (one === '*' ? '[^]*' : one === '?' ? '[^]' : one.replace('.', '\\.')));
      expect(compileGlob(glob)(name.join(''))).toBe(new RegExp(`^${quoted.join('')}$`, 'u').test(name.join('')));
    },
    2000,
  );
});

describe('for every redaction and every JSON text', () => {
  const rules = (redactions: readonly Redaction[]): readonly RuleModifiers[] => [
    { rule: 'r', redactArgs: redactions, redactResult: redactions },
  ];
  const typeOf = (value: unknown) => (Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value);
  const redactions = fc.array(some.redaction, { minLength: 1, maxLength: 4 });

  test('it stays JSON, of the same types, and redacting it again changes nothing', () => {
    holds(fc.tuple(redactions, some.argumentsValue, fc.constantFrom(undefined, 2)), ([wanted, value, indent]) => {
      const text = JSON.stringify(value, null, indent);
      const left = redactArguments(rules(wanted), text).text;
      sameShape(JSON.parse(text), JSON.parse(left));
      expect(redactArguments(rules(wanted), left).text).toBe(left);
    });

    function sameShape(a: unknown, b: unknown): void {
      expect(typeOf(b)).toBe(typeOf(a));
      if (typeof a !== 'object' || a === null || b === null) return;
      const [before, after] = [Object.values(a), Object.values(b as object)];
      // A container that was taken out is empty; every other one has as many members as before.
      if (after.length === 0) return;
      expect(after).toHaveLength(before.length);
    }
  });

  test('the order of redactions and of rules never matters', () => {
    holds(fc.tuple(redactions, some.argumentsValue), ([wanted, value]) => {
      const text = JSON.stringify(value);
      const apart = wanted.toReversed().map((one, at) => ({ rule: `r${at}`, redactArgs: [one] }));
      expect(redactArguments(apart, text).text).toBe(redactArguments(rules(wanted), text).text);
    });
  });

  test('nothing that a pattern finds is left, but within a mark, as 0 or as a literal', () => {
    const pattern = fc.constantFrom('a', '[0-9]+', 'b|ü', 'x/y', 'a+b?', 'ann@[a-z.]+');
    holds(fc.tuple(pattern, some.argumentsValue), ([wanted, value]) => {
      const left: unknown = JSON.parse(redactArguments(rules([{ pattern: wanted }]), JSON.stringify(value)).text);
      const without = (text: string) => text.replaceAll(/\[redacted(?: \d{1,6})?\]/g, '\u0000');
      walk(left, (text) => expect(without(text)).not.toMatch(new RegExp(wanted, 'u')));
    });

    function walk(value: unknown, look: (text: string) => void): void {
      if (typeof value === 'string') look(value);
      if (typeof value === 'number' && value !== 0) look(String(value));
      if (typeof value !== 'object' || value === null) return;
      for (const [name, member] of Object.entries(value)) {
        if (!Array.isArray(value)) look(name);
        walk(member, look);
      }
    }
  });

  test('a text in which nothing is found stays byte for byte', () => {
    holds(fc.tuple(some.argumentsValue, fc.constantFrom(undefined, 1, '\t')), ([value, indent]) => {
      const text = ` ${JSON.stringify(value, null, indent)}\n`;
      expect(redactArguments(rules([{ pattern: 'zzzz' }, { field: '/not/there' }]), text)).toMatchObject({
        text,
        redactions: [],
      });
      expect(applyResultRules(rules([{ pattern: 'zzzz' }]), text).text).toBe(text);
    });
  });

  test('a result stays a result, whatever is in it', () => {
    const block = fc.oneof(
      some.json.map((value) => ({ type: 'text', text: typeof value === 'string' ? value : JSON.stringify(value) })),
      some.json.map((value) => ({ type: 'resource', resource: { uri: 'a:b', text: JSON.stringify(value) } })),
      fc
        .uint8Array()
        .map((bytes) => ({ type: 'image', mimeType: 'image/png', data: Buffer.from(bytes).toString('base64') })),
    );
    const result = fc.record({
      content: fc.array(block, { maxLength: 3 }),
      structuredContent: some.argumentsValue,
      isError: fc.boolean(),
    });
    holds(fc.tuple(redactions, result), ([wanted, value]) => {
      const left = JSON.parse(applyResultRules(rules(wanted), JSON.stringify(value)).text) as typeof value;
      expect(left.isError).toBe(value.isError);
      expect(typeOf(left.structuredContent)).toBe('object');
      expect(left.content.map(({ type }) => type)).toEqual(value.content.map(({ type }) => type));
    });
  });
});

describe('for every call on its whole way', () => {
  /** One call through `callTool`, with an upstream that tells what reached it. */
  async function run(policy: Policy, argumentsText: string, standing: string | null) {
    const forwarded: string[] = [];
    const found = {
      tool: {
        upstreamId: 'a',
        name: 'a',
        exposedName: 'a__a',
        state: 'reviewed',
        risk: 'write',
        fingerprint: 'f',
        reviewed: { name: 'a', inputSchema: {} },
      },
      upstream: { id: 'a', name: 'a', tags: ['a'] },
    } as unknown as Found;
    const parts: CallToolParts = {
      catalog: {
        find: () => found,
        findDirect: () => found,
        findPrompt: () => null,
        findPromptDirect: () => null,
        upstream: () => null,
      },
      inventory: { find: () => found.tool } as unknown as CallToolParts['inventory'],
      checkArguments: createArgumentCheck(),
      checkOutput: createArgumentCheck(({ outputSchema }) => outputSchema),
      policies: { get: () => ({ policy, problem: null, version: '1' }) },
      decide,
      approvals: {
        standingFor: () => standing,
        yesWaits: () => false,
        request: async () => ({ kind: 'unavailable', reason: 'Nobody.' }),
      },
      shadows: { judge: () => null },
      trusts: { use: () => null },
      clients: { keyIsLive: () => true },
      pauses: { pausedFor: () => null },
      audit: {
        write: async () => ({ kind: 'written', seq: 1 }),
        writeSoon() {},
        available: () => ({ ok: true }),
      } as unknown as CallToolParts['audit'],
      resources: { find: () => null, learn() {} },
      connections: noConnections,
      signIns: { list: () => [] },
      rateLimits: createRateLimits({ clock: fakeClock() }),
      results: null,
      rounds: {
        resume: () => null,
        async start(_call, _aim, _record, request) {
          forwarded.push(request.argumentsText ?? '');
          return { kind: 'answered', result: {}, resultText: '{}', bytes: 2 };
        },
      },
      upstreams: { unavailable: () => null },
      clock: fakeClock(),
      log: silentLog,
    };
    const { signal } = new AbortController();
    const ending = await callTool(parts, {
      requestId: 'r',
      workspace: { id: 'w', name: 'a' },
      client: { id: 'c', name: 'a', tags: ['a'], holdMs: 0 },
      key: { id: 'a', role: 'executor', prefix: 'ab' },
      sessionId: null,
      era: 'modern',
      target: { kind: 'exposed', name: 'a__a' },
      argumentsText,
      metaText: '{}',
      moreText: '{}',
      capabilities: {},
      logLevel: null,
      inputResponses: null,
      requestState: null,
      cancelled: signal,
      left: () => signal,
      onNotification() {},
      onProgress() {},
      onWaiting() {},
    } as unknown as ToolCall);
    expect(ending.kind).not.toBe('failed');
    return forwarded;
  }
  const factsOf = (value: unknown) =>
    someFacts({
      workspace: 'a',
      upstream: 'a',
      upstreamTags: ['a'],
      tool: 'a',
      client: 'a',
      clientTags: ['a'],
      keyId: 'a',
      keyPrefix: 'ab',
      fingerprint: 'f',
      arguments: value,
    });

  test('a standing approval lets run what would be asked, and never what is denied', async () => {
    let widened = 0;
    await fc.assert(
      fc.asyncProperty(some.policy, some.argumentsValue, async (policy, value) => {
        const text = JSON.stringify(value);
        const { effect } = decide(policy, factsOf(value));
        const [without, having] = [await run(policy, text, null), await run(policy, text, 's1')];
        if (without.length > 0) expect(effect).toBe('allow');
        if (having.length > 0) expect(effect).not.toBe('deny');
        if (without.length > 0) expect(having).toEqual(without);
        widened += having.length - without.length;
      }),
      { numRuns: 100 },
    );
    // Else the property would hold of nothing.
    expect(widened).toBeGreaterThan(0);
  });

  test('what runs is allowed as it runs, and nothing that a rule takes out runs', async () => {
    await fc.assert(
      fc.asyncProperty(some.policy, some.argumentsValue, async (policy, value) => {
        const forwarded = await run(policy, JSON.stringify(value), null);
        for (const text of forwarded) {
          const again = decide(policy, factsOf(JSON.parse(text)));
          expect(again.effect).toBe('allow');
          expect(redactArguments(decide(policy, factsOf(value)).modifiers, text).text).toBe(text);
        }
      }),
      { numRuns: 100 },
    );
  });
});
