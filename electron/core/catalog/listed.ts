import type { DefinitionKind } from '../../../shared/model.ts';
import { readDefinitions, type UsableDefinition } from './definitions.ts';
import { fingerprintOf } from './fingerprint.ts';

/** What is usable of a list, by name, with its fingerprint; and sentences about the rest. */
export interface ReadList {
  readonly usable: ReadonlyMap<string, UsableDefinition & { readonly fingerprint: string }>;
  readonly problems: readonly string[];
}

/** Reads what an upstream listed of one kind. */
export interface ListReader {
  /** At one go, or from what `ahead` has read of this very list. */
  read(listed: readonly unknown[], endpoint: string, kind: DefinitionKind): ReadList;
  /** A long list in turns of the event loop: thousands of definitions at one go would be felt by everybody (P22). */
  ahead(listed: readonly unknown[], endpoint: string, kind: DefinitionKind): Promise<void>;
}

export function createListReader(): ListReader {
  const read = new WeakMap<readonly unknown[], ReadList & { readonly of: string }>();
  const named = (endpoint: string, kind: DefinitionKind) => `${kind} ${endpoint}`;
  return {
    read(listed, endpoint, kind) {
      const known = read.get(listed);
      if (known?.of === named(endpoint, kind)) return known;
      const { usable, problems } = finished(readDefinitions(listed, kind));
      const fingerprinted = [...usable].map(([name, one]) => withFingerprint(name, one, endpoint, kind));
      return { usable: new Map(fingerprinted), problems };
    },
    async ahead(listed, endpoint, kind) {
      if (listed.length <= AT_ONCE) return;
      const reading = readDefinitions(listed, kind);
      let step = reading.next();
      for (let count = 1; step.done !== true; count += 1) {
        if (count % AT_ONCE === 0) await turn();
        step = reading.next();
      }
      const { usable, problems } = step.value;
      const fingerprinted = new Map<string, UsableDefinition & { readonly fingerprint: string }>();
      for (const [name, one] of usable) {
        if (fingerprinted.size % AT_ONCE === 0) await turn();
        fingerprinted.set(...withFingerprint(name, one, endpoint, kind));
      }
      read.set(listed, { of: named(endpoint, kind), usable: fingerprinted, problems });
    },
  };
}

function withFingerprint(name: string, one: UsableDefinition, endpoint: string, kind: DefinitionKind) {
  return [name, { ...one, fingerprint: fingerprintOf(one.definition, endpoint, kind) }] as const;
}

function finished<T>(steps: Generator<void, T>): T {
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  return step.value;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Definitions in one turn; some tens of milliseconds where they are as large as they may be. */
const AT_ONCE = 250;
