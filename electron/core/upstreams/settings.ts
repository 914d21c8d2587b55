import { z } from 'zod';
import { LIMIT_RANGES } from '../../../shared/limits.ts';
import type { SettableLimits, UpstreamSettings, UpstreamTransport } from '../../../shared/model.ts';
import { defaultLimits, inWords } from './limits.ts';

/** What a person changes of how an upstream is run. A limit of null is the usual one again. */
export interface SettingsChange {
  readonly start?: UpstreamSettings['start'] | undefined;
  readonly idleStopMs?: number | null | undefined;
  readonly share?: UpstreamSettings['share'] | undefined;
  readonly allowPrivate?: boolean | undefined;
  readonly era?: UpstreamSettings['era'] | undefined;
  readonly limits?: { readonly [K in keyof SettableLimits]?: number | null | undefined } | undefined;
}

export const usualSettings: UpstreamSettings = {
  start: 'at_start',
  idleStopMs: null,
  share: 'shared',
  allowPrivate: false,
  era: 'auto',
  limits: {},
};

export const usualLimits: SettableLimits = settable(defaultLimits);

/** Exactly the members a person can set. */
export function settable(limits: SettableLimits): SettableLimits {
  const { callMs, ceilingMs, inFlight, queued, messageBytes, resultBytes, listItems, listPages } = limits;
  return { callMs, ceilingMs, inFlight, queued, messageBytes, resultBytes, listItems, listPages };
}

export function changedSettings(old: UpstreamSettings, change: SettingsChange): UpstreamSettings {
  const limits: Record<string, number> = { ...old.limits };
  for (const [name, value] of Object.entries(change.limits ?? {})) {
    if (value === null) delete limits[name];
    else if (value !== undefined) limits[name] = value;
  }
  return {
    start: change.start ?? old.start,
    idleStopMs: change.idleStopMs === undefined ? old.idleStopMs : change.idleStopMs,
    share: change.share ?? old.share,
    allowPrivate: change.allowPrivate ?? old.allowPrivate,
    era: change.era ?? old.era,
    limits,
  };
}

/** Why an upstream cannot be run like this; null when it can. `limits` are those that would be in force. */
export function refuseSettings(
  settings: UpstreamSettings,
  limits: SettableLimits,
  transport: UpstreamTransport,
): string | null {
  if (transport.kind !== 'stdio' && (settings.idleStopMs !== null || settings.share !== 'shared')) {
    return 'Only an upstream with a command has a process that can be stopped when idle, or be one for each client.';
  }
  if (transport.kind !== 'http' && settings.allowPrivate) {
    return 'Only an upstream with an address can be allowed to lead to a private one.';
  }
  if (transport.kind === 'demo' && settings.era !== 'auto') {
    return 'The era of the demo cannot be set: it is part of Gatehouse and speaks only one.';
  }
  if (limits.callMs > limits.ceilingMs) {
    return `The limit for a call without progress (${inWords(limits.callMs)}) is longer than the limit for a whole call (${inWords(limits.ceilingMs)}). Raise that one too.`;
  }
  if (limits.resultBytes > limits.messageBytes && settings.limits.resultBytes !== undefined) {
    return `The limit for a result (${limits.resultBytes} bytes) is larger than the limit for a message (${limits.messageBytes} bytes), in which it comes. Raise that one too.`;
  }
  return null;
}

export function readSettings(stored: string): UpstreamSettings {
  const { limits, ...settings } = storedSchema.parse(JSON.parse(stored));
  return { ...settings, limits: changedSettings(usualSettings, { limits }).limits };
}

const names = Object.keys(LIMIT_RANGES) as (keyof SettableLimits)[];
const storedSchema = z.object({
  start: z.enum(['at_start', 'on_demand']),
  idleStopMs: z.number().nullable(),
  share: z.enum(['shared', 'per_client']),
  allowPrivate: z.boolean(),
  // Absent in what earlier versions stored.
  era: z.enum(['auto', 'legacy', 'modern']).default('auto'),
  limits: z.partialRecord(z.enum(names), z.number()),
});
