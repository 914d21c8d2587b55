import { parseSize, parseSpan, sizeInWords, spanInWords } from '../../shared/amounts.ts';
import type { RequestInput } from '../../shared/api.ts';
import { IDLE_STOP_RANGE, LIMIT_RANGES, type LimitRange } from '../../shared/limits.ts';
import type { SettableLimits, UpstreamView } from '../../shared/model.ts';
import { type Call, type Command, type Option, WORKSPACE_OPTION } from './command.ts';
import { findUpstream } from './names.ts';
import { table } from './terminal.ts';
import { visible } from './untrusted.ts';

export type Settings = Pick<
  RequestInput<'upstreamChange'>,
  'start' | 'idleStopMs' | 'share' | 'allowPrivate' | 'era' | 'limits'
>;

type LimitOption = Option & { readonly limit: keyof SettableLimits; readonly unit: keyof typeof UNITS };

const UNITS = {
  span: { read: parseSpan, show: spanInWords, such: '90s, 5m or 2h' },
  size: { read: parseSize, show: sizeInWords, such: '512KB or 20MB' },
  count: { read: (text: string) => (/^\d{1,9}$/.test(text) ? Number(text) : null), show: String, such: '100' },
} as const;

const LIMITS = {
  'call-timeout': limit('callMs', 'span', 'how long a call may take without progress'),
  'call-ceiling': limit('ceilingMs', 'span', 'how long a call may take with progress'),
  concurrency: limit('inFlight', 'count', 'how many calls it gets at once'),
  queue: limit('queued', 'count', 'how many calls may wait for one of those'),
  'message-size': limit('messageBytes', 'size', 'the longest message it may send'),
  'result-size': limit('resultBytes', 'size', 'the longest result that is passed on'),
  'list-size': limit('listItems', 'count', 'how many tools, prompts or resources it may list'),
  'list-pages': limit('listPages', 'count', 'in how many pages a list may come'),
} as const;

/** Options of `upstreams add` and `upstreams set`. */
export const SETTINGS_OPTIONS = {
  start: { type: 'string', value: 'WHEN', help: 'at-start (with Gatehouse) or on-demand (with the first call)' },
  'stop-when-idle': { type: 'string', value: 'SPAN', help: 'stop its process after so long without a call, or never' },
  share: { type: 'string', value: 'HOW', help: 'shared (one process) or per-client (one for each session)' },
  'private-addresses': {
    type: 'string',
    value: 'WHETHER',
    help: 'allow or refuse: may the name in its address lead to a private address',
  },
  era: {
    type: 'string',
    value: 'ERA',
    help: 'auto (it is asked which era it speaks), legacy or modern (only that one)',
  },
  ...LIMITS,
} as const satisfies Record<string, Option>;

/** What the options ask for, or what is wrong with them in a sentence. */
export function settingsOf(call: Call): Settings | string {
  const start = choice(call, 'start', { 'at-start': 'at_start', 'on-demand': 'on_demand' } as const);
  const share = choice(call, 'share', { shared: 'shared', 'per-client': 'per_client' } as const);
  const allowPrivate = choice(call, 'private-addresses', { allow: true, refuse: false } as const);
  const era = choice(call, 'era', { auto: 'auto', legacy: 'legacy', modern: 'modern' } as const);
  for (const read of [start, share, allowPrivate, era])
    if (read !== null && typeof read === 'object') return read.problem;
  const idle = call.text('stop-when-idle');
  const idleStopMs = idle === null ? undefined : idle === 'never' ? null : parseSpan(idle);
  if (idle !== null && idle !== 'never' && !isWithin(idleStopMs ?? null, IDLE_STOP_RANGE)) {
    return `--stop-when-idle is '${visible(idle)}'; give never, or a time such as 10m, from ${spanInWords(IDLE_STOP_RANGE.least)} to ${spanInWords(IDLE_STOP_RANGE.most)}.`;
  }
  const limits: Partial<Record<keyof SettableLimits, number | null>> = {};
  for (const [option, { limit: name, unit }] of Object.entries(LIMITS)) {
    const text = call.text(option);
    if (text === null) continue;
    const value = text === 'usual' ? null : UNITS[unit].read(text);
    const range: LimitRange = LIMIT_RANGES[name];
    if (text !== 'usual' && !isWithin(value, range)) {
      const { show, such } = UNITS[unit];
      return `--${option} is '${visible(text)}'; give usual, or a value such as ${such}, from ${show(range.least)} to ${show(range.most)}.`;
    }
    limits[name] = value;
  }
  return {
    ...(typeof start === 'string' ? { start } : {}),
    ...(typeof share === 'string' ? { share } : {}),
    ...(typeof allowPrivate === 'boolean' ? { allowPrivate } : {}),
    ...(typeof era === 'string' ? { era } : {}),
    ...(idleStopMs === undefined ? {} : { idleStopMs }),
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
  };
}

export const setUpstream: Command = {
  words: ['upstreams', 'set'],
  summary: 'set how an upstream is run and its limits; without options, show them',
  takes: ['name'],
  options: { ...SETTINGS_OPTIONS, ...WORKSPACE_OPTION },
  async run(call) {
    const settings = settingsOf(call);
    if (typeof settings === 'string') {
      call.terminal.say(`gatehouse: ${settings}`);
      return 1;
    }
    const door = await call.door();
    const upstream = door && (await findUpstream(call, door, call.words[0] ?? ''));
    if (!upstream) return 1;
    if (Object.keys(settings).length === 0) {
      for (const line of table(['SETTING', 'NOW', 'USUAL'], rowsOf(upstream))) call.terminal.print(line);
      return 0;
    }
    const changed = await door.ask('upstreamChange', { upstream: upstream.id, ...settings });
    if (!changed) return 1;
    call.terminal.say(`The upstream ${upstream.name} is set. To see how: gatehouse upstreams set ${upstream.name}`);
    return 0;
  },
};

function rowsOf({ settings, limits }: UpstreamView): string[][] {
  const idle = settings.idleStopMs === null ? 'never' : spanInWords(settings.idleStopMs);
  return [
    ['start', settings.start.replace('_', '-'), 'at-start'],
    ['stop-when-idle', idle, 'never'],
    ['share', settings.share.replace('_', '-'), 'shared'],
    ['era', settings.era, 'auto'],
    ['private-addresses', settings.allowPrivate ? 'allow' : 'refuse', 'refuse'],
    ...Object.entries(LIMITS).map(([option, { limit: name, unit }]) => {
      const { show } = UNITS[unit];
      return [option, show(limits[name]), show(LIMIT_RANGES[name].usual)];
    }),
  ];
}

function choice<T extends string | boolean>(
  call: Call,
  option: string,
  values: Readonly<Record<string, T>>,
): T | null | { readonly problem: string } {
  const text = call.text(option);
  if (text === null) return null;
  const value = Object.hasOwn(values, text) ? values[text] : undefined;
  return value ?? { problem: `--${option} is '${visible(text)}'; it must be ${Object.keys(values).join(' or ')}.` };
}

function isWithin(value: number | null, { least, most }: Pick<LimitRange, 'least' | 'most'>): boolean {
  return value !== null && value >= least && value <= most;
}

function limit<N extends keyof SettableLimits>(name: N, unit: keyof typeof UNITS, what: string) {
  const value = { span: 'SPAN', size: 'SIZE', count: 'N' }[unit];
  return { type: 'string', value, help: `${what}, or usual`, limit: name, unit } as const satisfies LimitOption;
}
