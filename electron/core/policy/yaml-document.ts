import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, type Node, parseAllDocuments, visit } from 'yaml';

/** From 1, as editors count. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export type Located = Place & { readonly message: string };

/** What is wrong with what stands at a path from the root of a document. */
export interface Pointed {
  readonly message: string;
  readonly path: readonly (string | number)[];
  /** Whether the sentence speaks of the member's name or of what it holds. */
  readonly on: 'key' | 'value';
}

export type YamlDocument =
  | { readonly kind: 'read'; readonly value: unknown; place(of: Omit<Pointed, 'message'>): Place }
  /** In the order of the text. */
  | { readonly kind: 'faulty'; readonly faults: readonly [Located, ...Located[]] };

/**
 * Reads one plain YAML document: 1.2 core, no merge keys, no tags, no anchors, every name once. So a file says what it
 * seems to say. `what` names it in sentences: `policy`.
 */
export function readYamlDocument(yaml: string, what: string, empty: string): YamlDocument {
  if (yaml.length > MAX_YAML) {
    return faulty([{ message: `The ${what} is longer than a million characters.`, line: 1, column: 1 }]);
  }
  const lines = new LineCounter();
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const documents = parseAllDocuments(yaml, { ...PLAIN, lineCounter: lines });
  const document = 'empty' in documents ? undefined : documents[0];
  const errors = [...(document?.errors ?? []), ...(document?.warnings ?? [])].toSorted((a, b) => a.pos[0] - b.pos[0]);
  if (errors.length > 0)
    return faulty(errors.map(({ message, pos }) => ({ message: syntaxSentence(message), ...at(pos[0]) })));
  const contents = document?.contents;
  if (!document || !contents) return faulty([{ message: empty, line: 1, column: 1 }]);
  const second = documents[1];
  if (second) {
    return faulty([{ message: `A ${what} is one YAML document; remove what follows "---".`, ...at(second.range[0]) }]);
  }
  const aliases = aliasesIn(contents);
  if (aliases.length > 0) {
    const message = `A ${what} is written out: YAML anchors and aliases are not read.`;
    return faulty(aliases.map((offset) => ({ message, ...at(offset) })));
  }
  return { kind: 'read', value: document.toJS(), place: (pointed) => at(offsetOf(contents, pointed)) };
}

const MAX_YAML = 1_000_000;
const PLAIN = {
  version: '1.2',
  resolveKnownTags: false,
  stringKeys: true,
  prettyErrors: false,
  logLevel: 'silent',
} as const;

function faulty(faults: readonly Located[]): YamlDocument {
  const [first, ...rest] = faults;
  return { kind: 'faulty', faults: [first!, ...rest] };
}

function syntaxSentence(message: string): string {
  return `The YAML cannot be read: ${message.replace(/[.\s]+$/, '')}.`;
}

function aliasesIn(contents: Node): readonly number[] {
  const found: number[] = [];
  visit(contents, {
    Node(_key, node) {
      if (isAlias(node) || ('anchor' in node && node.anchor !== undefined)) found.push(node.range?.[0] ?? 0);
    },
  });
  return found;
}

/**
 * Where that of which a fault speaks begins: the key of a member that should not be there, the value of one that is
 * wrong, and for what is missing the nearest thing above it that is written.
 */
function offsetOf(contents: Node, { path, on }: Omit<Pointed, 'message'>): number {
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
