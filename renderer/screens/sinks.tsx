import { useState } from 'react';
import { Button } from 'react-aria-components';
import type { SinkState, SinkTarget, SinkView } from '../../shared/model.ts';
import { Visible } from '../card/visible.tsx';
import { useAct, useBridge, useLive, useNow } from '../live.ts';
import { ConfirmButton } from '../parts/confirm.tsx';
import { Empty, Problem } from '../parts/notes.tsx';
import { timeAgo, timeLeft } from '../parts/time.ts';
import { AddSink } from './add-sink.tsx';

/** Where the audit is delivered to besides its own file, and how far each is. */
export function SinksScreen() {
  const sinks = useLive('sinksList', {}, ['sinks']);
  const [adding, setAdding] = useState(false);
  return (
    <div className="screen">
      <div className="screen-head">
        <h2>Sinks</h2>
        <span className="grow" />
        {!adding && (
          <Button className="button accent" onPress={() => setAdding(true)}>
            Add sink
          </Button>
        )}
      </div>
      {adding && <AddSink onClose={() => setAdding(false)} />}
      <Problem message={sinks.problem} />
      {sinks.data?.length === 0 && !adding && (
        <Empty title="The audit stays on this machine">
          <p>A sink gets a copy of every entry: a collector, a PostgreSQL table or a file.</p>
        </Empty>
      )}
      {sinks.data !== undefined && sinks.data.length > 0 && (
        <ul className="list" aria-label="Sinks">
          {sinks.data.map((sink) => (
            <Sink key={sink.id} sink={sink} />
          ))}
        </ul>
      )}
    </div>
  );
}

const KINDS: Readonly<Record<SinkTarget['kind'], string>> = {
  otlp: 'OpenTelemetry',
  postgres: 'PostgreSQL',
  jsonl: 'File',
};

const STATES: Readonly<Record<SinkState, readonly [label: string, status: string]>> = {
  up_to_date: ['up to date', 'ready'],
  delivering: ['delivering', 'starting'],
  failing: ['failing', 'failed'],
  paused: ['paused', 'stopped'],
  stopped: ['not running', 'stopped'],
};

function Sink({ sink }: { readonly sink: SinkView }) {
  const bridge = useBridge();
  const act = useAct();
  const [found, setFound] = useState<string | null>(null);
  const [label, status] = STATES[sink.state];
  const isPaused = sink.state === 'paused';
  const test = async () => {
    setFound(null);
    await act.run(async () => {
      const answer = await bridge.request('sinkTest', { sink: sink.id });
      if (answer.kind === 'done') setFound(answer.message);
      return answer;
    });
  };
  return (
    <li className="sink">
      <div className="list-row">
        <span className="grow">
          <strong>
            <Visible text={sink.name} />
          </strong>{' '}
          <span className="badge">{KINDS[sink.target.kind]}</span>{' '}
          <span className="quiet">
            <Visible text={placeOf(sink.target)} />
          </span>
        </span>
        <span className={`status status-${status}`}>
          <span className="dot" aria-hidden="true" />
          {label}
        </span>
      </div>
      <div className="list-row key">
        <div className="grow">
          <Progress sink={sink} />
          <Problem message={act.problem} />
          {found !== null && (
            <p className="note" role="status">
              <Visible text={found} />
            </p>
          )}
        </div>
        <div className="actions">
          <Button className="button small" isDisabled={act.busy} onPress={() => void test()}>
            {act.busy ? 'Working…' : 'Test'}
          </Button>
          <Button
            className="button small"
            isDisabled={act.busy}
            onPress={() => void act.run(() => bridge.request(isPaused ? 'sinkResume' : 'sinkPause', { sink: sink.id }))}
          >
            {isPaused ? 'Resume' : 'Pause'}
          </Button>
          <ConfirmButton
            label="Remove"
            question="What it has stays there; nothing more is sent."
            confirm="Remove"
            isDisabled={act.busy}
            onConfirm={() => void act.run(() => bridge.request('sinkRemove', { sink: sink.id }))}
          />
        </div>
      </div>
    </li>
  );
}

function Progress({ sink }: { readonly sink: SinkView }) {
  const now = useNow();
  const number = (value: number) => value.toLocaleString('en');
  return (
    <>
      <p className="quiet">
        Delivered up to entry {number(sink.deliveredSeq)} of {number(sink.headSeq)}, {number(sink.waiting)} waiting
        {sink.deliveredAt !== null && ` · last ${timeAgo(sink.deliveredAt, now)}`}
      </p>
      {sink.missed > 0 && (
        <p className="quiet">{number(sink.missed)} entries never got there; the audit says which (sink_gap).</p>
      )}
      {sink.reason !== null && (
        <p className="problem">
          <Visible text={sink.reason} />
          {sink.nextTryAt !== null && sink.nextTryAt > now && ` Next try in ${timeLeft(sink.nextTryAt - now)}.`}
        </p>
      )}
    </>
  );
}

function placeOf(target: SinkTarget): string {
  switch (target.kind) {
    case 'otlp':
      return target.url;
    case 'postgres':
      return `${target.user}@${target.host}${target.host.startsWith('/') ? '' : `:${target.port}`}/${target.database} · ${target.table}`;
    case 'jsonl':
      return target.path;
  }
}
