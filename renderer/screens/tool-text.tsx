import { useMemo } from 'react';
import type { Definition, DefinitionKind } from '../../shared/model.ts';
import { parseExact } from '../card/exact-json.ts';
import { JsonTree, NO_MASKS } from '../card/json-tree.tsx';
import { Visible } from '../card/visible.tsx';

const PARTS: readonly (readonly [member: string, label: string])[] = [
  ['uriTemplate', 'URI template'],
  ['title', 'Title'],
  ['description', 'Description'],
  ['arguments', 'Arguments'],
  ['inputSchema', 'Input'],
  ['outputSchema', 'Output'],
  ['annotations', 'What the server says about it'],
];

/** The member that heads the definition wherever it is shown. */
const HEADING: Readonly<Record<DefinitionKind, string>> = {
  tool: 'name',
  prompt: 'name',
  resource_template: 'uriTemplate',
};

interface Shown {
  readonly kind: DefinitionKind;
  readonly definition: Definition;
}

/** Everything of a definition that a model could see, in full: also the members nobody expects. */
export function ToolText({ kind, definition }: Shown) {
  const known = new Set([HEADING[kind], ...PARTS.map(([member]) => member)]);
  const others = Object.keys(definition).filter((member) => !known.has(member));
  const parts = PARTS.filter(([member]) => member !== HEADING[kind]);
  const shown = [...parts, ...others.map((member) => [member, member] as const)];
  return (
    <dl className="tool-text">
      {shown
        .filter(([member]) => definition[member] !== undefined)
        .map(([member, label]) => (
          <div key={member}>
            <dt>
              <Visible text={label} />
            </dt>
            <dd>
              <Value value={definition[member]} />
            </dd>
          </div>
        ))}
    </dl>
  );
}

export function Value({ value }: { readonly value: unknown }) {
  const json = useMemo(() => (typeof value === 'string' ? null : parseExact(JSON.stringify(value) ?? 'null')), [value]);
  if (typeof value === 'string') {
    return (
      <p className="long-text">
        <Visible text={value} />
      </p>
    );
  }
  return json && <JsonTree json={json} masks={NO_MASKS} />;
}
