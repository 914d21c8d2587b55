import { useDeferredValue, useState } from 'react';
import { Button, Input, Radio, RadioGroup, SearchField } from 'react-aria-components';
import { countOf } from '../../shared/kinds.ts';
import type { ToolView } from '../../shared/model.ts';
import { Visible } from '../card/visible.tsx';
import { useLive } from '../live.ts';
import { EffectBadge, KindBadge, RiskBadge, ToolStateBadge } from '../parts/badges.tsx';
import { Empty, Problem } from '../parts/notes.tsx';
import { ReviewPanel } from './review.tsx';
import { ToolText } from './tool-text.tsx';

/** Find tools as an agent would, see all of them by upstream, and review what is new. */
export function ToolsScreen({ reviewing, onReview }: Reviewing) {
  const [query, setQuery] = useState('');
  const [workspace, setWorkspace] = useState<string | null>(null);
  const workspaces = useLive('workspacesList', {}, ['clients']).data ?? [];
  const tools = useLive('toolsList', {}, ['tools', 'upstreams']);
  const groups = byUpstream(tools.data ?? []);
  const reviewed = groups.find((group) => group.upstreamId === reviewing);
  if (reviewed) {
    return <ReviewPanel key={reviewed.upstreamId} {...reviewed} onClose={() => onReview(null)} />;
  }
  return (
    <div className="screen">
      <div className="screen-head">
        <h2>Tools</h2>
        <SearchField className="search" aria-label="Find tools as an agent would" value={query} onChange={setQuery}>
          <Input placeholder="Find tools as an agent would: “read a text file”" />
          {query !== '' && <Button className="link">Clear</Button>}
        </SearchField>
      </div>
      <Problem message={tools.problem} />
      {query.trim() !== '' && workspaces.length > 1 && (
        <RadioGroup
          className="segments"
          aria-label="An agent of which workspace"
          value={workspace ?? workspaces[0]?.id ?? ''}
          onChange={setWorkspace}
        >
          {workspaces.map((one) => (
            <Radio key={one.id} value={one.id}>
              <Visible text={one.name} />
            </Radio>
          ))}
        </RadioGroup>
      )}
      {query.trim() !== '' ? (
        <Found query={query} workspace={workspace} />
      ) : (
        <>
          {tools.data?.length === 0 && (
            <Empty title="No tools yet">
              <p>Add an upstream on the Upstreams screen. Its tools then wait here for your one review.</p>
            </Empty>
          )}
          {groups.map((group) => (
            <UpstreamTools key={group.upstreamId} {...group} onReview={() => onReview(group.upstreamId)} />
          ))}
        </>
      )}
    </div>
  );
}

interface Reviewing {
  /** Id of the upstream whose tools are being reviewed; null shows the list. */
  readonly reviewing: string | null;
  onReview(upstreamId: string | null): void;
}

/** Longer lists open when asked: thousands of rows would make the screen slow. */
const ROWS_AT_FIRST = 60;

interface Group {
  readonly upstreamId: string;
  readonly upstream: string;
  readonly tools: readonly ToolView[];
}

function byUpstream(tools: readonly ToolView[]): readonly Group[] {
  const groups = Map.groupBy(tools, (tool) => tool.upstreamId);
  return [...groups].map(([upstreamId, ofIt]) => ({ upstreamId, upstream: ofIt[0]?.upstream ?? '', tools: ofIt }));
}

function Found({ query, workspace }: { readonly query: string; readonly workspace: string | null }) {
  const asked = useDeferredValue(query);
  const where = workspace === null ? {} : { workspace };
  const answer = useLive('toolsFind', { query: asked, limit: 20, ...where }, ['tools', 'upstreams', 'policy']);
  return (
    <section className="found" aria-label="Found tools" aria-live="polite">
      <Problem message={answer.problem} />
      {answer.data?.notes.map((note) => (
        <p key={note} className="note">
          <Visible text={note} />
        </p>
      ))}
      {answer.data?.found.length === 0 && answer.data.notes.length === 0 && (
        <Empty title="An agent would find nothing">
          <p>Try other words, or see whether the tool’s upstream is enabled and reviewed.</p>
        </Empty>
      )}
      <ol className="hits">
        {answer.data?.found.map((hit, index) => (
          <li key={`${hit.tool.upstreamId} ${hit.tool.name}`} className="card hit">
            <div className="hit-head">
              <span className="hit-rank">{index + 1}</span>
              <strong>
                <Visible text={hit.upstream} /> / <Visible text={hit.tool.name} />
              </strong>
              <RiskBadge risk={hit.tool.risk} />
              <span className="grow" />
              <EffectBadge effect={hit.decision.effect} />
            </div>
            <p className="clamp">
              <Visible text={hit.tool.reviewed?.description ?? ''} />
            </p>
            <p className="quiet">
              {hit.decision.rule === null ? '' : <code>{hit.decision.rule}</code>}{' '}
              <Visible text={hit.decision.reason} />
            </p>
          </li>
        ))}
      </ol>
    </section>
  );
}

function UpstreamTools({ upstream, tools, onReview }: Group & { onReview(): void }) {
  const [all, setAll] = useState(false);
  const shown = all ? tools : tools.slice(0, ROWS_AT_FIRST);
  const waiting = tools.filter((tool) => tool.offered !== null && tool.state !== 'gone');
  return (
    <section aria-label={`Tools of ${upstream}`}>
      <div className="section-head">
        <h3 className="section">
          <Visible text={upstream} /> <span className="quiet">{countOf(tools)}</span>
        </h3>
        {waiting.length > 0 && (
          <Button className="button small accent" onPress={onReview}>
            Review {countOf(waiting)}
          </Button>
        )}
      </div>
      <ul className="list">
        {shown.map((tool) => (
          <ToolRow key={`${tool.kind} ${tool.name}`} tool={tool} />
        ))}
      </ul>
      {shown.length < tools.length && (
        <Button className="link" onPress={() => setAll(true)}>
          Show all {countOf(tools)} of {upstream}
        </Button>
      )}
    </section>
  );
}

function ToolRow({ tool }: { readonly tool: ToolView }) {
  const [open, setOpen] = useState(false);
  const definition = tool.reviewed ?? tool.offered;
  return (
    <li className="tool">
      <Button className="list-row tool-row" aria-expanded={open} onPress={() => setOpen(!open)}>
        <span className="chevron" aria-hidden="true" />
        <span className="tool-name">
          <Visible text={tool.name} />
        </span>
        <span className="one-line quiet grow">
          <Visible text={definition?.description ?? ''} />
        </span>
        <KindBadge kind={tool.kind} />
        {tool.state !== 'reviewed' && <ToolStateBadge state={tool.state} />}
        <RiskBadge risk={tool.risk} />
      </Button>
      {open && definition && (
        <div className="tool-open">
          {tool.exposedName !== null && (
            <p className="quiet">
              Agents {tool.kind === 'tool' ? 'call it' : 'know it as'} <code>{tool.exposedName}</code>
            </p>
          )}
          <ToolText kind={tool.kind} definition={definition} />
        </div>
      )}
    </li>
  );
}
