import { Button } from 'react-aria-components';
import type { Json } from './exact-json.ts';
import type { SecretRange } from './secrets.ts';
import { Visible } from './visible.tsx';

/** Which secret-looking values are masked now, by where they start in the text. */
export interface Masks {
  readonly secrets: readonly SecretRange[];
  readonly revealed: ReadonlySet<number>;
  reveal(from: number): void;
}

export const NO_MASKS: Masks = { secrets: [], revealed: new Set(), reveal() {} };

/** A JSON value as an indented tree: every member of it, in its order, as written. */
export function JsonTree({ json, masks }: { readonly json: Json; readonly masks: Masks }) {
  if (json.kind === 'object') {
    if (json.members.length === 0) return <span className="json-empty">{'{ }'}</span>;
    return (
      <ul className="json">
        {json.members.map((member) => (
          <li key={member.value.from}>
            <span className="json-name">
              <Visible text={member.name} />
            </span>
            <JsonTree json={member.value} masks={masks} />
          </li>
        ))}
      </ul>
    );
  }
  if (json.kind === 'array') {
    if (json.items.length === 0) return <span className="json-empty">[ ]</span>;
    return (
      <ul className="json">
        {json.items.map((item, index) => (
          <li key={item.from}>
            <span className="json-index">{index + 1}.</span>
            <JsonTree json={item} masks={masks} />
          </li>
        ))}
      </ul>
    );
  }
  if (json.kind === 'literal') return <span className="json-literal">{json.text}</span>;
  if (isMasked(json.from, masks)) return <Mask length={json.value.length} onReveal={() => masks.reveal(json.from)} />;
  if (json.value === '') return <span className="json-empty">empty text</span>;
  const end = json.value.search(/[\n ]+$/);
  const seen = end < 0 ? json.value : json.value.slice(0, end);
  return (
    <span className="json-string">
      <Visible text={seen} />
      {end >= 0 && <UnseenEnd text={json.value.slice(end)} />}
    </span>
  );
}

/** Line feeds and spaces at the end of a text, which nobody would see. */
function UnseenEnd({ text }: { readonly text: string }) {
  const lines = text.split('\n').length - 1;
  const spaces = text.length - lines;
  const said = [lines > 0 && count(lines, 'line feed'), spaces > 0 && count(spaces, 'space')].filter(Boolean);
  return <span className="unseen-end">then {said.join(' and ')}</span>;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

export function Mask({ length, onReveal }: { readonly length: number; readonly onReveal: () => void }) {
  return (
    <span className="mask">
      <span aria-hidden="true">••••••</span>
      <span className="mask-note">looks like a secret, {length} characters</span>
      <Button className="link" onPress={onReveal}>
        Reveal
      </Button>
    </span>
  );
}

export function isMasked(from: number, masks: Masks): boolean {
  return masks.secrets.some((secret) => secret.from === from) && !masks.revealed.has(from);
}
