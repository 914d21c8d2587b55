import type { Refused } from '../../../shared/api.ts';
import type { SinkTarget, SinkView } from '../../../shared/model.ts';
import type { Handlers } from '../api.ts';
import type { Audit } from '../audit/audit.ts';
import { isThisMachine } from '../sinks/definitions.ts';
import type { Sinks } from '../sinks/sinks.ts';
import type { Widening } from './widening.ts';

type Names = 'sinksList' | 'sinkAdd' | 'sinkRemove' | 'sinkTest' | 'sinkPause' | 'sinkResume';

export function sinkRequests(parts: {
  readonly sinks: Sinks;
  readonly audit: Pick<Audit, 'list'>;
  readonly widening: Widening;
}): Pick<Handlers, Names> {
  const { sinks, audit, widening } = parts;
  return {
    sinksList: () => sinks.list(),

    async sinkAdd({ name, target: wanted, from, secrets }, caller) {
      const target = wanted.kind === 'otlp' ? { ...wanted, url: logsAddress(wanted.url) } : wanted;
      const refusal = await widening(
        {
          kind: 'sink',
          title: `Send every entry of the audit to "${name}"`,
          lines: [
            { label: 'Name', value: name },
            ...targetLines(target),
            { label: 'From', value: from === 'start' ? 'the first entry on' : 'now on' },
            ...(Object.keys(secrets).length === 0
              ? []
              : [{ label: 'With secrets', value: Object.keys(secrets).join(', ') }]),
          ],
        },
        caller,
      );
      if (refusal !== null) return refusal;
      return sinks.add({ name, target, secrets, startSeq: from === 'start' ? 0 : await lastSeq(audit) });
    },

    sinkRemove: ({ sink }) =>
      withSink(sinks, sink, ({ id }) => {
        sinks.remove(id);
        return { kind: 'done' };
      }),
    sinkTest: ({ sink }) => withSink(sinks, sink, ({ id }) => sinks.test(id)),
    sinkPause: ({ sink }) => withSink(sinks, sink, ({ id }) => paused(sinks, id, true)),
    sinkResume: ({ sink }) => withSink(sinks, sink, ({ id }) => paused(sinks, id, false)),
  };
}

function withSink<T>(sinks: Sinks, wanted: string, act: (sink: SinkView) => T): T | Refused {
  const found = sinks.find(wanted);
  if (found !== null) return act(found);
  return { kind: 'refused', message: `There is no sink "${wanted}". "audit sinks list" shows which there are.` };
}

function paused(sinks: Sinks, id: string, now: boolean): { readonly kind: 'done'; readonly sink: SinkView } | Refused {
  const sink = sinks.setPaused(id, now);
  return sink === null ? { kind: 'refused', message: 'The sink was removed meanwhile.' } : { kind: 'done', sink };
}

/** As for OTEL_EXPORTER_OTLP_ENDPOINT: an address without a path is that of the collector, not of its logs. */
function logsAddress(url: string): string {
  const parsed = new URL(url);
  if (parsed.pathname !== '/' || parsed.search !== '' || parsed.hash !== '') return url;
  return new URL('/v1/logs', parsed).href;
}

async function lastSeq(audit: Pick<Audit, 'list'>): Promise<number> {
  const { records } = await audit.list({ limit: 500 });
  return Math.max(0, ...records.flatMap((record) => record.entries.map(({ seq }) => seq)));
}

/** The exact place, whole: what is confirmed is where it goes. */
function targetLines(target: SinkTarget): { readonly label: string; readonly value: string }[] {
  switch (target.kind) {
    case 'otlp':
      return [
        { label: 'OpenTelemetry collector', value: target.url },
        ...(target.secretHeaders.length === 0
          ? []
          : [{ label: 'Headers from the vault', value: target.secretHeaders.join(', ') }]),
        ...(target.url.startsWith('http:') && !isThisMachine(new URL(target.url).hostname)
          ? [{ label: 'Not encrypted', value: 'anybody on the way can read it' }]
          : []),
      ];
    case 'postgres':
      return [
        { label: 'PostgreSQL server', value: `${target.host}${target.host.startsWith('/') ? '' : `:${target.port}`}` },
        { label: 'Database', value: target.database },
        { label: 'Table', value: target.table },
        { label: 'User', value: target.user },
        { label: 'Encryption', value: target.tls === 'verify' ? 'TLS, certificate checked' : 'none (this machine)' },
        ...(target.caFile === null ? [] : [{ label: 'Authority', value: target.caFile }]),
      ];
    case 'jsonl':
      return [
        { label: 'File', value: target.path },
        { label: 'Kept', value: `${target.keep} full files of ${target.maxBytes} bytes beside it` },
      ];
  }
}
