import { useMemo } from 'react';
import { Checkbox } from 'react-aria-components';
import { parseExact } from './exact-json.ts';
import { fieldsOf } from './fields.ts';
import { secretsIn } from './secrets.ts';
import { Visible } from './visible.tsx';

/** As many as a yes can be bound to. */
const AT_MOST = 64;

interface Pinned {
  readonly text: string;
  readonly pins: readonly string[];
  onChange(pins: readonly string[]): void;
}

/** Which arguments must have the value they have now for the yes to hold for another call. */
export function Pins({ text, pins, onChange }: Pinned) {
  const values = useMemo(() => valuesOf(text), [text]);
  const whole = pins.includes('');
  return (
    <fieldset className="pins">
      <legend>
        Always, for calls of this tool where these values are the same. Whatever is not ticked may be anything.
      </legend>
      <Pin isSelected={whole} onChange={(isSelected) => onChange(isSelected ? [''] : [])}>
        <strong>All arguments, exactly as they are</strong>
      </Pin>
      {!whole &&
        values.map(({ pointer, shown }) => (
          <Pin
            key={pointer}
            isSelected={pins.includes(pointer)}
            onChange={(isSelected) =>
              onChange(isSelected ? [...pins, pointer] : pins.filter((pinned) => pinned !== pointer))
            }
          >
            <code>
              <Visible text={pointer} />
            </code>{' '}
            <span className="mono quiet">{shown === null ? 'looks like a secret' : <Visible text={shown} />}</span>
          </Pin>
        ))}
    </fieldset>
  );
}

function Pin(props: {
  readonly isSelected: boolean;
  readonly onChange: (isSelected: boolean) => void;
  readonly children: React.ReactNode;
}) {
  return (
    <Checkbox className="check" isSelected={props.isSelected} onChange={props.onChange}>
      <span className="tick" aria-hidden="true" />
      <span className="pin-value">{props.children}</span>
    </Checkbox>
  );
}

/** Nothing where the whole is all there is to pin. */
function valuesOf(text: string): readonly { readonly pointer: string; readonly shown: string | null }[] {
  const json = parseExact(text);
  if (!json) return [];
  const masked = new Set(secretsIn(json).map(({ from }) => from));
  return fieldsOf(json, text)
    .filter(({ pointer }) => pointer !== '')
    .slice(0, AT_MOST)
    .map(({ pointer, text: shown, from }) => ({ pointer, shown: masked.has(from) ? null : shown }));
}
