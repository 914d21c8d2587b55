import { type RefObject, useEffect, useMemo, useRef, useState } from 'react';
import { Button, ToggleButton, ToggleButtonGroup } from 'react-aria-components';
import { hidesSomething } from './escapes.ts';
import { countValues, parseExact } from './exact-json.ts';
import { isMasked, JsonTree, Mask, type Masks } from './json-tree.tsx';
import { secretsIn } from './secrets.ts';
import { Seen } from './seen.tsx';
import { Visible } from './visible.tsx';

/** A tree of more values than this would freeze the window; the exact text shows them all. */
const TREE_AT_MOST = 3000;

interface Shown {
  readonly text: string;
  readonly title?: string;
  /** Called once, when the end of the arguments has been on the screen. */
  onSeen(): void;
  /** What can be done with them. */
  readonly action?: React.ReactNode;
}

/** The whole arguments of a call, as a tree and as the exact text that will be forwarded; never cut. */
export function Arguments({ text, title = 'Arguments', onSeen, action }: Shown) {
  const json = useMemo(() => parseExact(text), [text]);
  const secrets = useMemo(() => (json ? secretsIn(json) : []), [json]);
  const [revealed, setRevealed] = useState<ReadonlySet<number>>(new Set());
  const masks: Masks = { secrets, revealed, reveal: (from) => setRevealed(new Set([...revealed, from])) };
  const drawable = json !== null && countValues(json) <= TREE_AT_MOST;
  const [wanted, setWanted] = useState<'tree' | 'exact'>('tree');
  const view = drawable ? wanted : 'exact';
  const [expanded, setExpanded] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const overflows = useOverflow(box, `${view}${expanded}${revealed.size}`);

  return (
    <section className="arguments" aria-label={title}>
      <div className="arguments-head">
        <h4>{title}</h4>
        <span className="quiet">{sizeOf(text)}</span>
        {hidesSomething(text) && <span className="flag">holds characters that cannot be seen; shown as escapes</span>}
        <span className="grow" />
        {action}
        <ToggleButtonGroup
          className="segments"
          aria-label={`How to show the ${title.toLowerCase()}`}
          selectionMode="single"
          disallowEmptySelection
          selectedKeys={[view]}
          onSelectionChange={(keys) => setWanted(keys.has('exact') ? 'exact' : 'tree')}
        >
          <ToggleButton id="tree" isDisabled={!drawable}>
            Tree
          </ToggleButton>
          <ToggleButton id="exact">Exact text</ToggleButton>
        </ToggleButtonGroup>
      </div>
      {json !== null && !drawable && (
        <p className="quiet">Too many values for a tree; the exact text shows them all.</p>
      )}
      <div
        ref={box}
        className={`arguments-box ${expanded ? 'expanded' : ''}`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard must be able to scroll to its end.
        tabIndex={0}
        role="document"
        aria-label={`${title} as ${view === 'tree' ? 'a tree' : 'exact text'}`}
      >
        {view === 'tree' && json ? <JsonTree json={json} masks={masks} /> : <ExactText text={text} masks={masks} />}
        <Seen onSeen={onSeen} />
      </div>
      {overflows && (
        <Button className="link" onPress={() => setExpanded(!expanded)}>
          {expanded ? 'Show in a scrolling box' : 'Show everything at once'}
        </Button>
      )}
    </section>
  );
}

function ExactText({ text, masks }: { readonly text: string; readonly masks: Masks }) {
  const masked = masks.secrets.filter((secret) => isMasked(secret.from, masks));
  const pieces: React.ReactNode[] = [];
  let from = 0;
  for (const secret of masked) {
    pieces.push(<Visible key={`t${from}`} text={text.slice(from, secret.from)} />);
    pieces.push(
      <Mask key={`m${secret.from}`} length={secret.to - secret.from - 2} onReveal={() => masks.reveal(secret.from)} />,
    );
    from = secret.to;
  }
  pieces.push(<Visible key={`t${from}`} text={text.slice(from)} />);
  return <pre className="exact">{pieces}</pre>;
}

function useOverflow(box: RefObject<HTMLElement | null>, key: string): boolean {
  const [overflows, setOverflows] = useState(false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: measured again when what is shown changed.
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const measure = () =>
      setOverflows(element.classList.contains('expanded') || element.scrollHeight > element.clientHeight + 2);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [box, key]);
  return overflows;
}

function sizeOf(text: string): string {
  const lines = text.split('\n').length;
  const characters = `${text.length.toLocaleString('en')} characters`;
  return lines > 1 ? `${characters}, ${lines.toLocaleString('en')} lines` : characters;
}
