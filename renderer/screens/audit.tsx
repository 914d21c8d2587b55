import { useState } from 'react';
import { Button, Input, SearchField } from 'react-aria-components';
import type { RequestInput, RequestResult } from '../../shared/api.ts';
import type { AuditRecordView } from '../../shared/model.ts';
import { Visible } from '../card/visible.tsx';
import { messageOf, useBridge, useLive } from '../live.ts';
import { EffectBadge, OutcomeBadge } from '../parts/badges.tsx';
import { Empty, Problem } from '../parts/notes.tsx';
import { shortTime } from '../parts/time.ts';
import { AuditRecord } from './audit-record.tsx';
import { VerifyResult } from './verify-result.tsx';

const FILTERS = ['client', 'upstream', 'tool', 'outcome', 'errorClass'] as const;
type Filter = Partial<Record<(typeof FILTERS)[number] | 'text', string>>;
const LABELS: Readonly<Record<(typeof FILTERS)[number], string>> = {
  client: 'Client',
  upstream: 'Upstream',
  tool: 'Tool',
  outcome: 'Outcome',
  errorClass: 'Error class',
};

const PAGE = 50;

/** Every call and every administrative act, newest first, and the proof that nothing was changed since. */
export function AuditScreen() {
  const [filter, setFilter] = useState<Filter>({});
  // Where each page shown so far begins; the newest page has no beginning.
  const [pages, setPages] = useState<readonly number[]>([]);
  const [open, setOpen] = useState<string | null>(null);
  const before = pages.at(-1);
  const wanted: RequestInput<'auditList'> = { ...filter, limit: PAGE, ...(before === undefined ? {} : { before }) };
  const audit = useLive('auditList', wanted, before === undefined ? ['audit'] : []);
  const records = audit.data?.records ?? [];
  const opened = records.find((record) => record.requestId === open);
  const isFiltered = Object.keys(filter).length > 0;
  const change = (name: keyof Filter, value: string) => {
    const { [name]: _, ...others } = filter;
    setFilter(value === '' ? others : { ...others, [name]: value });
    setPages([]);
  };

  return (
    <div className="screen wide">
      <div className="screen-head">
        <h2>Audit</h2>
        <span className="grow" />
        <Proof />
      </div>
      <search className="filters">
        <SearchField
          className="search"
          aria-label="Text in records"
          value={filter.text ?? ''}
          maxLength={200}
          onChange={(value) => change('text', value)}
        >
          <Input placeholder="Search records" />
        </SearchField>
        {FILTERS.map((name) => (
          <SearchField
            key={name}
            className="filter"
            aria-label={LABELS[name]}
            value={filter[name] ?? ''}
            onChange={(value) => change(name, value)}
          >
            <Input placeholder={LABELS[name]} spellCheck="false" />
          </SearchField>
        ))}
        {isFiltered && (
          <Button
            className="link"
            onPress={() => {
              setFilter({});
              setPages([]);
            }}
          >
            Clear
          </Button>
        )}
      </search>
      <Problem message={audit.problem} />
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
  const name = [record.upstream, record.tool].filter((part) => part !== null).join(' / ');
  if (name === '') return null;
  if (record.kind !== 'tool_call') return <Visible text={name} />;
  return (
    <strong>
      <Visible text={name} />
    </strong>
  );
}

/** Verify and export: the same checks that anybody can make on an export without Gatehouse. */
function Proof() {
  const bridge = useBridge();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const [report, setReport] = useState<RequestResult<'auditVerify'> | null>(null);
  const [exported, setExported] = useState<RequestResult<'auditExport'> | null>(null);
  const run = async (what: () => Promise<void>) => {
    setBusy(true);
    setProblem(null);
    setExported(null);
    setReport(null);
    try {
      await what();
    } catch (error) {
      setProblem(messageOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <Button
        className="button small"
        isDisabled={busy}
        onPress={() => void run(async () => setReport(await bridge.request('auditVerify', {})))}
      >
        {busy ? 'Working…' : 'Verify'}
      </Button>
      <Button
        className="button small"
        isDisabled={busy}
        onPress={() => void run(async () => setExported(await bridge.request('auditExport', {})))}
      >
        Export
      </Button>
      <div className="proof" aria-live="polite">
        <Problem message={problem} />
        {report && <VerifyResult report={report} onClose={() => setReport(null)} />}
        {exported && (
          <p className="note">
            {exported.entries.toLocaleString('en')} entries written to <code>{exported.path}</code>
          </p>
        )}
      </div>
    </>
  );
}
