import type { DefinitionKind } from './model.ts';

/** In the order of every list: what can do most comes first. */
export const DEFINITION_KINDS = ['tool', 'prompt', 'resource_template'] as const satisfies readonly DefinitionKind[];

/** `prompt`, `resource templates`: the word for one of them or for several. */
export function wordFor(kind: DefinitionKind, count = 1): string {
  return count === 1 ? WORDS[kind] : `${WORDS[kind]}s`;
}

/** `12 tools, 2 prompts and 1 resource template`; kinds that are not there are not named, nothing at all is `0 tools`. */
export function countOf(items: readonly { readonly kind: DefinitionKind }[]): string {
  const counts = DEFINITION_KINDS.map((kind) => ({ kind, count: items.filter((item) => item.kind === kind).length }));
  const said = counts.filter(({ count }) => count > 0).map(({ kind, count }) => `${count} ${wordFor(kind, count)}`);
  const last = said.pop() ?? '0 tools';
  return said.length === 0 ? last : `${said.join(', ')} and ${last}`;
}

const WORDS: Readonly<Record<DefinitionKind, string>> = {
  tool: 'tool',
  prompt: 'prompt',
  resource_template: 'resource template',
};
