import { useState } from 'react';
import { Button, Input, Label, Text, TextField } from 'react-aria-components';
import { parseSize, parseSpan, sizeInWords, spanInWords } from '../../shared/amounts.ts';
import type { RequestInput } from '../../shared/api.ts';
import { IDLE_STOP_RANGE, LIMIT_RANGES } from '../../shared/limits.ts';
import type { SettableLimits, UpstreamView } from '../../shared/model.ts';
import { useAct, useBridge } from '../live.ts';
import { Choice } from '../parts/choice.tsx';
import { Problem } from '../parts/notes.tsx';

const UNITS = {
  span: { read: parseSpan, show: spanInWords },
  size: { read: parseSize, show: sizeInWords },
  count: { read: (text: string) => (/^\d{1,9}$/.test(text.trim()) ? Number(text) : null), show: String },
} as const;

const LIMITS = [
  ['callMs', 'span', 'Call timeout', 'without an answer and without progress'],
  ['ceilingMs', 'span', 'Call ceiling', 'one call, however much progress it reports'],
  ['inFlight', 'count', 'Calls at once', 'more wait'],
  ['queued', 'count', 'Calls that wait', 'more are refused'],
  ['messageBytes', 'size', 'Message size', 'one message of the upstream'],
  ['resultBytes', 'size', 'Result size', 'one result, as it is passed on'],
  ['listItems', 'count', 'List size', 'tools, prompts or resources'],
  ['listPages', 'count', 'List pages', 'a list may come in'],
] as const satisfies readonly (readonly [keyof SettableLimits, keyof typeof UNITS, string, string])[];

/** As typed: a value that cannot be read stays where it is, with the reason beside it. */
interface Form {
  readonly start: UpstreamView['settings']['start'];
  readonly share: UpstreamView['settings']['share'];
  readonly allowPrivate: boolean;
  readonly era: UpstreamView['settings']['era'];
  readonly idleStop: string;
  readonly limits: Readonly<Record<keyof SettableLimits, string>>;
}

/** How an upstream is run and its limits, as `gatehouse upstreams set` has them. Only what was changed is sent. */
export function UpstreamSettings({ upstream, onClose }: { readonly upstream: UpstreamView; onClose(): void }) {
  const bridge = useBridge();
  const act = useAct();
  const [form, setForm] = useState(() => formOf(upstream));
  const set = (part: Partial<Form>) => setForm((before) => ({ ...before, ...part }));
  const { kind } = upstream.transport;
  const idleProblem = problemOfIdle(form.idleStop);
  const problems = LIMITS.map(([name]) => problemOfLimit(name, form.limits[name]));
  const isWrong = idleProblem !== null || problems.some((problem) => problem !== null);

  const save = async () => {
    const change = changeOf(upstream, form);
    if (await act.run(() => bridge.request('upstreamChange', { upstream: upstream.id, ...change }))) onClose();
  };

  return (
    <section className="form" aria-label={`Settings of ${upstream.name}`}>
      <Choice
        label="It starts"
        value={form.start}
        values={{ at_start: 'with Gatehouse', on_demand: 'with its first call' }}
        onChange={(start) => set({ start })}
      />
      {kind === 'stdio' && (
        <>
          <Amount
            label="Stop when idle for"
            value={form.idleStop}
            hint={`never, or from ${spanInWords(IDLE_STOP_RANGE.least)} to ${spanInWords(IDLE_STOP_RANGE.most)}, such as 10m`}
            problem={idleProblem}
            onChange={(idleStop) => set({ idleStop })}
          />
          <Choice
            label="One process for"
            value={form.share}
            values={{ shared: 'everybody', per_client: 'each session of a client' }}
            onChange={(share) => set({ share })}
          />
        </>
      )}
      {kind === 'http' && (
        <Choice
          label="Its name may lead to a private address"
          value={form.allowPrivate ? 'allow' : 'refuse'}
          values={{ refuse: 'no', allow: 'yes' }}
          onChange={(answer) => set({ allowPrivate: answer === 'allow' })}
        />
      )}
      {kind !== 'demo' && (
        <Choice
          label="Protocol era"
          value={form.era}
          values={{ auto: 'ask it', legacy: 'sessions', modern: '2026-07-28' }}
          onChange={(era) => set({ era })}
        />
      )}
      <div className="limits">
        {LIMITS.map(([name, unit, label, what], index) => {
          const { least, usual, most } = LIMIT_RANGES[name];
          const { show } = UNITS[unit];
          return (
            <Amount
              key={name}
              label={label}
              value={form.limits[name]}
              hint={`${what}; ${show(least)} to ${show(most)}, usual ${show(usual)}`}
              problem={problems[index] ?? null}
              onChange={(text) => set({ limits: { ...form.limits, [name]: text } })}
            />
          );
        })}
      </div>
      <Problem message={act.problem} />
      <div className="actions">
        <Button className="button small" onPress={onClose}>
          Cancel
        </Button>
        <Button className="button small accent" isDisabled={act.busy || isWrong} onPress={() => void save()}>
          {act.busy ? 'Saving…' : 'Save'}
        </Button>
      </div>
    </section>
  );
}

function Amount(props: {
  readonly label: string;
  readonly value: string;
  readonly hint: string;
  readonly problem: string | null;
  onChange(text: string): void;
}) {
  return (
    <TextField className="field" value={props.value} onChange={props.onChange} isInvalid={props.problem !== null}>
      <Label>{props.label}</Label>
      <Input spellCheck="false" autoComplete="off" />
      <Text slot="description">{props.problem ?? props.hint}</Text>
    </TextField>
  );
}

function formOf({ settings, limits }: UpstreamView): Form {
  const { start, share, allowPrivate, era, idleStopMs } = settings;
  const shown = LIMITS.map(([name, unit]) => [name, UNITS[unit].show(limits[name])] as const);
  return {
    start,
    share,
    allowPrivate,
    era,
    idleStop: idleStopMs === null ? 'never' : spanInWords(idleStopMs),
    limits: Object.fromEntries(shown) as Record<keyof SettableLimits, string>,
  };
}

/** Members that are not as they are set now; a limit at its usual value is no longer set. */
function changeOf({ settings, limits }: UpstreamView, form: Form): Omit<RequestInput<'upstreamChange'>, 'upstream'> {
  const idleStopMs = isNever(form.idleStop) ? null : parseSpan(form.idleStop);
  const changed = LIMITS.flatMap(([name, unit]) => {
    const value = UNITS[unit].read(form.limits[name]);
    if (value === null || value === limits[name]) return [];
    return [[name, value === LIMIT_RANGES[name].usual ? null : value] as const];
  });
  return {
    ...(form.start === settings.start ? {} : { start: form.start }),
    ...(form.share === settings.share ? {} : { share: form.share }),
    ...(form.allowPrivate === settings.allowPrivate ? {} : { allowPrivate: form.allowPrivate }),
    ...(form.era === settings.era ? {} : { era: form.era }),
    ...(idleStopMs === settings.idleStopMs ? {} : { idleStopMs }),
    ...(changed.length === 0 ? {} : { limits: Object.fromEntries(changed) }),
  };
}

function isNever(text: string): boolean {
  return text.trim().toLowerCase() === 'never';
}

function problemOfIdle(text: string): string | null {
  const ms = parseSpan(text);
  const { least, most } = IDLE_STOP_RANGE;
  if (isNever(text) || (ms !== null && ms >= least && ms <= most)) return null;
  return `Write never, or a time from ${spanInWords(least)} to ${spanInWords(most)}, such as 10m.`;
}

function problemOfLimit(name: keyof SettableLimits, text: string): string | null {
  const unit = LIMITS.find(([one]) => one === name)?.[1] ?? 'count';
  const { read, show } = UNITS[unit];
  const value = read(text);
  const { least, most } = LIMIT_RANGES[name];
  return value !== null && value >= least && value <= most
    ? null
    : `Write a value from ${show(least)} to ${show(most)}.`;
}
