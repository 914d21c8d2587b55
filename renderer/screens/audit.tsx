import { useState } from 'react';
import { Button } from 'react-aria-components';
import type { RequestInput } from '../../shared/api.ts';
import type { AuditRecordView } from '../../shared/model.ts';
import { Visible } from '../card/visible.tsx';
import { useLive } from '../live.ts';
import { EffectBadge, OutcomeBadge } from '../parts/badges.tsx';
import { Empty, Problem } from '../parts/notes.tsx';
import { shortTime } from '../parts/time.ts';
import { AuditFilterBar, type AuditFilters } from './audit-filters.tsx';
import { AuditProof } from './audit-proof.tsx';
import { AuditRecord } from './audit-record.tsx';

const PAGE = 50;

/** Every call and every administrative act, newest first, and the proof that nothing was changed since. */
export function AuditScreen() {
  const [filter, setFilter] = useState<AuditFilters>({});
  // Where each page shown so far begins; the newest page has no beginning.
  const [pages, setPages] = useState<readonly number[]>([]);
  const [open, setOpen] = useState<string | null>(null);
  const before = pages.at(-1);
  const wanted: RequestInput<'auditList'> = { ...filter, limit: PAGE, ...(before === undefined ? {} : { before }) };
  const audit = useLive('auditList', wanted, before === undefined ? ['audit'] : []);
  const records = audit.data?.records ?? [];
  const opened = records.find((record) => record.requestId === open);
  const isFiltered = Object.keys(filter).length > 0;

  return (
    <div className="screen wide">
      <div className="screen-head">
        <h2>Audit</h2>
        <span className="grow" />
        <AuditProof filter={filter} />
      </div>
      <AuditFilterBar
        filter={filter}
        onChange={(wanted) => {
          setFilter(wanted);
          setPages([]);
        }}
      />
      <Problem message={audit.problem} />
      {audit.data !== undefined && audit.data.behind > 0 && (
        <p className="note">
          The index of the audit is being made: {audit.data.behind.toLocaleString('en')} entries cannot be found yet.
          They are recorded.
        </p>
      )}
      {audit.data && records.length === 0 && <NothingRecorded isFiltered={isFiltered} />}
      {records.length > 0 && (
        <div className={`audit ${opened ? 'split' : ''}`}>
          <ul className="list records">
            {records.map((record) => (
              <Row
                key={record.requestId}
                record={record}
                isOpen={record.requestId === open}
                onOpen={() => setOpen(record.requestId === open ? null : record.requestId)}
              />
            ))}
          </ul>
          {opened && <AuditRecord key={opened.requestId} record={opened} onClose={() => setOpen(null)} />}
        </div>
      )}
      <div className="actions">
        {pages.length > 0 && (
          <Button className="button small" onPress={() => setPages(pages.slice(0, -1))}>
            ‹ Newer
          </Button>
        )}
        <span className="grow" />
        {typeof audit.data?.nextBefore === 'number' && (
          <Button className="button small" onPress={() => setPages([...pages, audit.data!.nextBefore!])}>
            Older ›
          </Button>
        )}
      </div>
    </div>
  );
}

function NothingRecorded({ isFiltered }: { readonly isFiltered: boolean }) {
  if (isFiltered) {
    return (
      <Empty title="No record matches">
        <p>Change or clear the filters above.</p>
      </Empty>
    );
  }
  return (
    <Empty title="Nothing recorded yet">
      <p>Each call of an agent appears here with its decision, its approval and its outcome.</p>
    </Empty>
  );
}

function Row(props: { readonly record: AuditRecordView; readonly isOpen: boolean; onOpen(): void }) {
  const { record } = props;
  return (
    <li>
      <Button
        className={`list-row record ${props.isOpen ? 'open' : ''}`}
        aria-expanded={props.isOpen}
        onPress={props.onOpen}
      >
        <span className="quiet when">{shortTime(record.at, Date.now())}</span>
        <span className="grow record-what">
          {record.kind !== 'tool_call' && (
            <strong>
              <Visible text={record.kind.replaceAll('_', ' ')} />
            </strong>
          )}
          <ToolName record={record} />
          {record.client !== null && (
            <span className="quiet">
              {' '}
              <Visible text={record.client} />
            </span>
          )}
        </span>
        {record.errorClass !== null && <code className="error-class">{record.errorClass}</code>}
        {record.effect !== null && <EffectBadge effect={record.effect} />}
        <OutcomeBadge kind={record.kind} outcome={record.outcome} />
      </Button>
    </li>
  );
}

function ToolName({ record }: { readonly record: AuditRecordView }) {
  const account = record.connection === null ? '' : ` as ${record.connection}`;
  const upstream = record.upstream === null ? null : `${record.upstream}${account}`;
  const name = [upstream, record.tool].filter((part) => part !== null).join(' / ');
  if (name === '') return null;
  if (record.kind !== 'tool_call') return <Visible text={name} />;
  return (
    <strong>
      <Visible text={name} />
    </strong>
  );
}
