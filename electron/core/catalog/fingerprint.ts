import { createHash } from 'node:crypto';
import type { Definition, DefinitionKind } from '../../../shared/model.ts';

/** Levels of nesting that count. The inventory leaves deeper definitions out, so nothing a client can see hides below. */
export const MAX_DEPTH = 64;

/**
 * SHA-256 (hex) over everything of a definition that a model or a client could see, over what kind it is and over where
 * it comes from: any member, known to us or not, changes it; the order of keys does not. `endpoint` is the command line
 * or the URL.
 */
export function fingerprintOf(definition: Definition, endpoint: string, kind: DefinitionKind = 'tool'): string {
  const text = `gatehouse-${kind}-1\n${canonical(definition, MAX_DEPTH)}\n${JSON.stringify(endpoint)}`;
  return createHash('sha256').update(text).digest('hex');
}

/**
 * JSON with sorted keys. Never throws: what JSON cannot say (cycles, functions, big integers) and what lies deeper than
 * `depth` becomes a marker that no JSON text can be taken for.
 */
export function canonical(value: unknown, depth: number): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'number':
    case 'boolean':
      return JSON.stringify(value);
    case 'object':
      break;
    default:
      return `#${typeof value}`;
  }
  if (value === null) return 'null';
  if (depth === 0) return '#deep';
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item, depth - 1)).join(',')}]`;
  const members: string[] = [];
  for (const key of Object.keys(value).sort()) {
    const member = (value as Record<string, unknown>)[key];
    if (member !== undefined) members.push(`${JSON.stringify(key)}:${canonical(member, depth - 1)}`);
  }
  return `{${members.join(',')}}`;
}

/** True where a value nests deeper than `depth` levels of objects and arrays. */
export function nestsDeeper(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (depth === 0) return true;
  return Object.values(value).some((member) => nestsDeeper(member, depth - 1));
}
