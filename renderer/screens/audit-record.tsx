import { Button } from 'react-aria-components';
import type { AuditEntryView, AuditPhase, AuditRecordView } from '../../shared/model.ts';
import { Visible } from '../card/visible.tsx';
import { Copy } from '../parts/copy.tsx';
import { dateAndTime } from '../parts/time.ts';
import { Explain } from './audit-explanation.tsx';
import { Value } from './tool-text.tsx';

const PHASES: Readonly<Record<AuditPhase, string>> = {
  asked: 'Asked a person',
  forwarded: 'Forwarded upstream',
  ended: 'Ended',
  event: 'Recorded',
};

/** All entries of one record, every member of them as text. */
export function AuditRecord({ record, onClose }: { readonly record: AuditRecordView; onClose(): void }) {
  return (
    <section className="card record-detail" aria-label="Record">
      <div className="strip">
        <div>
          <h3 className="row-name">
            <Visible
              text={
                record.tool === null
                  ? record.kind
                  : `${record.upstream ?? '?'}${record.connection === null ? '' : ` as ${record.connection}`} / ${record.tool}`
              }
            />
          </h3>
          <p className="quiet">
            request <code>{record.requestId}</code>
          </p>
        </div>
        <span className="grow" />
        <Copy text={record.requestId} label="Copy request id" />
        <Button className="button small" onPress={onClose}>
          Close
        </Button>
      </div>
      <dl className="facts tight">
        {factsOf(record).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <Visible text={value} />
            </dd>
          </div>
        ))}
      </dl>
      {record.entries.some(({ phase }) => phase !== 'event') && <Explain requestId={record.requestId} />}
      <ol className="entries">
        {record.entries.map((entry) => (
          <Entry key={entry.seq} entry={entry} />
        ))}
      </ol>
    </section>
  );
}

/** Every member of the record that has a value, spans and sizes with their units. */
function factsOf(record: AuditRecordView): readonly (readonly [string, string])[] {
  const { requestId: _, entries: __, at, ...members } = record;
  return [
    ['time', dateAndTime(at)],
    ...Object.entries(members)
      .filter(([, value]) => value !== null && value !== false)
      .map(([name, value]) => [wordsOf(name), unitOf(name, value)] as const),
  ];
}

const wordsOf = (name: string) =>
  name.replace(/(Ms|Bytes)$/, '').replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

function unitOf(name: string, value: unknown): string {
  if (name.endsWith('Ms')) return `${Number(value).toLocaleString('en')} ms`;
  if (name.endsWith('Bytes')) return `${Number(value).toLocaleString('en')} bytes`;
  return value === true ? 'yes' : String(value);
}

function Entry({ entry }: { readonly entry: AuditEntryView }) {
  const { phase, detail, hash, seq, at, requestId: _, ...members } = entry;
  const said = Object.entries(members).filter(([, value]) => value !== null);
  return (
    <li className="entry">
      <h4>
        {PHASES[phase]} <span className="quiet">{dateAndTime(at)}</span>
      </h4>
      <dl className="facts tight">
        {said.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <Visible text={String(value)} />
            </dd>
          </div>
        ))}
      </dl>
      {Object.keys(detail).length > 0 && (
        <div className="entry-detail">
          <Value value={detail} />
        </div>
      )}
      <p className="quiet hash">
        entry {seq} · <code>{hash}</code>
      </p>
    </li>
  );
}
