import {
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  stringify,
  visit,
} from 'yaml';
import type { Condition, Policy, Rule, RuleMatch } from '../../../shared/model.ts';
import type { PolicyResult } from './policy.ts';
import { type PolicyFault, parsePolicy } from './schema.ts';

/** Parses a policy; what is wrong with it comes with the line and column (both from 1) where it stands. Saves nothing. */
export function parseYaml(yaml: string): PolicyResult {
  if (yaml.length > MAX_YAML) return { kind: 'refused', message: 'The policy is longer than a million characters.' };
  const lines = new LineCounter();
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const documents = parseAllDocuments(yaml, { ...PLAIN, lineCounter: lines });
  const document = 'empty' in documents ? undefined : documents[0];
  const [error] = [...(document?.errors ?? []), ...(document?.warnings ?? [])].toSorted((a, b) => a.pos[0] - b.pos[0]);
  if (error) return { kind: 'refused', message: syntaxSentence(error.message), ...at(error.pos[0]) };
  const contents = document?.contents;
  if (!document || !contents) return { kind: 'refused', message: EMPTY, line: 1, column: 1 };
  const second = documents[1];
  if (second) {
    return {
      kind: 'refused',
      message: 'A policy is one YAML document; remove what follows "---".',
      ...at(second.range[0]),
    };
  }
  const alias = firstAlias(contents);
  if (alias !== null) {
    return {
      kind: 'refused',
      message: 'A policy is written out: YAML anchors and aliases are not read.',
      ...at(alias),
    };
  }
  const parsed = parsePolicy(document.toJS());
  if (parsed.kind === 'parsed') return { kind: 'done', policy: parsed.policy };
  const [first] = parsed.faults
    .map((fault) => ({ message: fault.message, onKey: fault.on === 'key', offset: offsetOf(contents, fault) }))
    // A misspelt member is told before the one that is missing because of it.
    .toSorted((a, b) => Number(b.onKey) - Number(a.onKey) || a.offset - b.offset);
  return { kind: 'refused', message: first!.message, ...at(first!.offset) };
}

/** The policy as YAML that `parseYaml` reads back to the same policy, members always in the same order. */
export function toYaml(policy: Policy): string {
  const plain = { defaultEffect: policy.defaultEffect, rules: policy.rules.map(plainRule) };
  return stringify(plain, { lineWidth: 0, aliasDuplicateObjects: false, version: '1.2' });
}

const MAX_YAML = 1_000_000;
/** YAML 1.2 core, no merge keys and no further tags: a policy says what it seems to say. */
const PLAIN = {
  version: '1.2',
  resolveKnownTags: false,
  stringKeys: true,
  prettyErrors: false,
  logLevel: 'silent',
} as const;
const EMPTY = 'The policy is empty; it needs "defaultEffect" and "rules".';

function plainRule(rule: Rule) {
  const { match, rateLimit } = rule;
  return defined({
    name: rule.name,
    effect: rule.effect,
    match: defined({
      ...ordered(match, MATCH_MEMBERS),
      time: match.time?.map((window) => ordered(window, ['days', 'from', 'to', 'zone'])),
      arguments: match.arguments === undefined ? undefined : plainCondition(match.arguments),
    }),
    rateLimit: rateLimit === undefined ? undefined : ordered(rateLimit, ['calls', 'per', 'by']),
    redactArgs: rule.redactArgs,
    redactResult: rule.redactResult,
    holdResult: rule.holdResult?.map((test) => ('op' in test ? plainCondition(test) : test)),
    reason: rule.reason,
  });
}

const MATCH_MEMBERS = [
  'workspace',
  'upstream',
  'tag',
  'connection',
  'kind',
  'tool',
  'risk',
  'fingerprint',
  'state',
  'client',
  'clientTag',
  'key',
  'session',
] as const satisfies readonly (keyof RuleMatch)[];

function ordered<T extends object>(
  value: T,
  members: readonly (keyof T & string)[],
): Readonly<Record<string, unknown>> {
  return defined(Object.fromEntries(members.map((member) => [member, value[member]])));
}

function plainCondition(condition: Condition): unknown {
  if ('all' in condition) return { all: condition.all.map(plainCondition) };
  if ('any' in condition) return { any: condition.any.map(plainCondition) };
  if ('not' in condition) return { not: plainCondition(condition.not) };
  return defined({ field: condition.field, op: condition.op, value: condition.value });
}

function defined(members: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

function syntaxSentence(message: string): string {
  return `The YAML cannot be read: ${message.replace(/[.\s]+$/, '')}.`;
}

function firstAlias(contents: Node): number | null {
  let found: number | null = null;
  visit(contents, {
    Node(_key, node) {
      const anchored = isAlias(node) || ('anchor' in node && node.anchor !== undefined);
      if (!anchored) return undefined;
      found = node.range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return found;
}

/**
 * Where that of which a fault speaks begins: the key of a member that should not be there, the value of one that is
 * wrong, and for what is missing the nearest thing above it that is written.
 */
function offsetOf(contents: Node, { path, on }: PolicyFault): number {
  let node: Node = contents;
  let offset = contents.range?.[0] ?? 0;
  for (const [index, step] of path.entries()) {
    const child = childOf(node, step);
    if (child === null) return offset;
    offset = (on === 'key' && index === path.length - 1 ? child.key : child.value)?.range?.[0] ?? offset;
    if (child.value === null) return offset;
    node = child.value;
  }
  return offset;
}

function childOf(node: Node, step: string | number): { readonly key: Node | null; readonly value: Node | null } | null {
  if (isMap(node)) {
    const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step));
    if (!pair || !isNode(pair.key)) return null;
    return { key: pair.key, value: isNode(pair.value) ? pair.value : null };
  }
  const item: unknown = isSeq(node) && typeof step === 'number' ? node.items[step] : null;
  return isNode(item) ? { key: null, value: item } : null;
}
