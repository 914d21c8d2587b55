import { useMemo, useRef, useState } from 'react';
import { Button, Checkbox } from 'react-aria-components';
import type { RequestResult } from '../../shared/api.ts';
import type { ApprovalView } from '../../shared/model.ts';
import { useAct, useBridge, useNow } from '../live.ts';
import { Problem } from '../parts/notes.tsx';
import { AnswerBar } from './answer-bar.tsx';
import { ApprovalCard, CallHead } from './approval-card.tsx';
import { Facts } from './facts.tsx';
import { useGuard } from './guard.ts';
import { Mask } from './json-tree.tsx';
import { ResultCard } from './result-card.tsx';
import { type Row, type Table, tableOf } from './rows.ts';
import { Seen } from './seen.tsx';
import { Visible } from './visible.tsx';

interface Shown {
  /** Of one client to one tool, oldest first. */
  readonly calls: readonly ApprovalView[];
  readonly queue: string;
}

/** A burst of one tool as one table of the arguments that differ; any of its calls can be opened as a card of its own. */
export function BatchCard({ calls, queue }: Shown) {
  const [opened, setOpened] = useState<string | null>(null);
  const alone = calls.find(({ id }) => id === opened) ?? (calls.length === 1 ? calls[0] : undefined);
  if (!alone) return <BatchTable calls={calls} queue={queue} onOpen={setOpened} />;
  return (
    <>
      {calls.length > 1 && (
        <Button className="link" onPress={() => setOpened(null)}>
          ‹ All {calls.length} calls of this tool
        </Button>
      )}
      {alone.held === null ? (
        <ApprovalCard key={alone.id} approval={alone} queue={queue} />
      ) : (
        <ResultCard key={alone.id} approval={alone} held={alone.held} queue={queue} />
      )}
    </>
  );
}

function BatchTable({ calls, queue, onOpen }: Shown & { onOpen(id: string): void }) {
  const table = useMemo(() => tableOf(calls), [calls]);
  const [ticked, setTicked] = useState<ReadonlySet<string>>(new Set());
  /** How many rows there were when their end was on the screen: one that came since has not been seen. */
  const [seen, setSeen] = useState(0);
  const chosen = calls.filter(({ id }) => ticked.has(id));
  const first = calls[0]!;
  return (
    <article
      className={`card call risk-edge-${first.risk}`}
      aria-label={`${calls.length} calls of ${first.upstream} ${first.tool}`}
    >
      <CallHead approval={first} expiresAt={Math.min(...calls.map(({ expiresAt }) => expiresAt))} queue={queue}>
        <span className="badge">{calls.length} calls</span>
      </CallHead>
      <Facts calls={calls} />
      {table.common.length > 0 && <Common table={table} />}
      <section className="arguments" aria-label="Arguments that differ">
        <div className="batch-box">
          <table className="batch">
            <thead>
              <tr>
                <th>
                  <Tick
                    label="All calls"
                    isSelected={chosen.length === calls.length}
                    onChange={(all) => setTicked(new Set(all ? calls.map(({ id }) => id) : []))}
                  />
                </th>
                {(table.columns ?? ['arguments']).map((pointer) => (
                  <th key={pointer}>
                    <Visible text={pointer} />
                  </th>
                ))}
                <th>
                  <span className="unseen">Alone</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {table.rows.map((row, index) => (
                <BatchRow
                  key={row.approval.id}
                  row={row}
                  place={index + 1}
                  columns={table.columns}
                  isTicked={ticked.has(row.approval.id)}
                  onTick={(on) => {
                    const next = new Set(ticked);
                    if (on) next.add(row.approval.id);
                    else next.delete(row.approval.id);
                    setTicked(next);
                  }}
                  onOpen={() => onOpen(row.approval.id)}
                />
              ))}
            </tbody>
          </table>
          <Seen key={calls.length} onSeen={() => setSeen(calls.length)} />
        </div>
      </section>
      <BatchAnswer chosen={chosen} risk={first.risk} seen={seen >= calls.length} />
    </article>
  );
}

function Common({ table }: { readonly table: Table }) {
  const secrets = new Set(table.rows[0]?.secrets.map(({ from }) => from));
  return (
    <section aria-label="The same in all calls">
      <h4>The same in all</h4>
      <dl className="facts common">
        {table.common.map((field) => (
          <div key={field.pointer}>
            <dt>
              <code>
                <Visible text={field.pointer} />
              </code>
            </dt>
            <dd>
              <Value text={field.text} isSecret={secrets.has(field.from)} />
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

interface RowShown {
  readonly row: Row;
  readonly place: number;
  readonly columns: Table['columns'];
  readonly isTicked: boolean;
  onTick(on: boolean): void;
  onOpen(): void;
}

function BatchRow({ row, place, columns, isTicked, onTick, onOpen }: RowShown) {
  const { approval, values, secrets } = row;
  const masked = new Set(secrets.map(({ from }) => from));
  return (
    <tr className={isTicked ? 'ticked' : ''}>
      <td>
        <Tick label={`Call ${place}`} isSelected={isTicked} onChange={onTick} />
      </td>
      {columns === null ? (
        <td>
          <Value text={approval.argumentsText} isSecret={secrets.length > 0} />
        </td>
      ) : (
        columns.map((pointer) => {
          const field = values.get(pointer);
          return (
            <td key={pointer}>
              {field ? (
                <Value text={field.text} isSecret={masked.has(field.from)} />
              ) : (
                <span className="quiet">not there</span>
              )}
            </td>
          );
        })
      )}
      <td>
        {approval.callerLeft && <span className="quiet">caller left </span>}
        <Button className="link" aria-label={`Open call ${place} alone`} onPress={onOpen}>
          Open
        </Button>
      </td>
    </tr>
  );
}

function Value({ text, isSecret }: { readonly text: string; readonly isSecret: boolean }) {
  const [revealed, setRevealed] = useState(false);
  if (isSecret && !revealed) return <Mask length={text.length} onReveal={() => setRevealed(true)} />;
  return (
    <span className="exact mono">
      <Visible text={text} />
    </span>
  );
}

function Tick(props: { readonly label: string; readonly isSelected: boolean; onChange(on: boolean): void }) {
  return (
    <Checkbox className="check" aria-label={props.label} isSelected={props.isSelected} onChange={props.onChange}>
      <span className="tick" aria-hidden="true" />
    </Checkbox>
  );
}

interface Chosen {
  readonly chosen: readonly ApprovalView[];
  readonly risk: ApprovalView['risk'];
  readonly seen: boolean;
}

/** Answers the calls that are ticked, each once; what could not be answered says why. */
function BatchAnswer({ chosen, risk, seen }: Chosen) {
  const bridge = useBridge();
  const bar = useRef<HTMLDivElement>(null);
  const guard = useGuard(bar);
  const act = useAct();
  const now = useNow();
  const expired = chosen.some(({ expiresAt }) => now >= expiresAt);
  const locked = !guard.armed || act.busy || chosen.length === 0;
  const what = chosen.length === 1 ? '1 call' : `${chosen.length} calls`;

  const approve = () => {
    const calls = chosen.map(({ id, argumentsSha256 }) => ({ approval: id, argumentsSha256 }));
    void act.run(async () => whole(await bridge.request('approvalsApproveMany', { calls })));
  };
  const approvals = chosen.map(({ id }) => id);

  return (
    <footer className="answer">
      <span className="quiet" aria-live="polite">
        {!seen ? 'Scroll to the end of the calls to approve.' : 'Tick the calls to answer; each is approved for once.'}
      </span>
      <AnswerBar
        bar={bar}
        guard={guard}
        isLocked={locked}
        no={{
          label: `Deny ${what}`,
          withReason: `Deny ${what}`,
          andPause: 'Deny and pause client',
          say: (why) =>
            void act.run(async () => whole(await bridge.request('approvalsDenyMany', { approvals, ...why }))),
        }}
        yes={{ label: `Approve ${what} once`, risk, isReady: seen && !expired, say: approve }}
      />
      <Problem message={act.problem} />
    </footer>
  );
}

/** One refusal for the person: how many were not answered, and why the first was not. */
function whole(result: RequestResult<'approvalsApproveMany'>): { readonly kind: string; readonly message?: string } {
  if (result.kind === 'refused') return result;
  const refused = result.answers.flatMap(({ answer }) => (answer.kind === 'refused' ? [answer.message] : []));
  if (refused.length === 0) return { kind: 'done' };
  return { kind: 'refused', message: `${refused.length} of ${result.answers.length} not answered: ${refused[0]}` };
}
