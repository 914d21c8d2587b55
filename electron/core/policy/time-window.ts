import type { TimeWindow, Weekday } from '../../../shared/model.ts';

export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const satisfies readonly Weekday[];

/** Whether a moment (milliseconds since 1970) lies in the window. */
export type TimeTest = (at: number) => boolean;

/**
 * The window as a test, or null when this machine does not know its zone. Times are read off the wall of the zone: when
 * summer time begins, the hour that is left out is in no window, and when it ends, the hour that comes twice is in its
 * window both times.
 */
export function compileTimeWindow({ days, from = '00:00', to = '24:00', zone = 'local' }: TimeWindow): TimeTest | null {
  const wallAt = zone === 'local' ? localWall : zoneWall(zone);
  if (wallAt === null) return null;
  const start = minutesOf(from);
  const end = minutesOf(to);
  const isOn = (day: number) => days === undefined || days.includes(WEEKDAYS[day]!);
  return (at) => {
    const { day, minute } = wallAt(at);
    if (start < end) return isOn(day) && minute >= start && minute < end;
    // Over midnight: what is left of the day it begins on, and what reaches into the next.
    return (isOn(day) && minute >= start) || (isOn((day + 6) % 7) && minute < end);
  };
}

/** Whether this machine knows the time zone of that name. */
export function isZone(zone: string): boolean {
  return zone === 'local' || zoneWall(zone) !== null;
}

/** What a wall shows: the day from 0 for Monday, and minutes since midnight. */
interface Wall {
  readonly day: number;
  readonly minute: number;
}

function minutesOf(time: string): number {
  const [hours = '0', minutes = '0'] = time.split(':');
  return Number(hours) * 60 + Number(minutes);
}

function localWall(at: number): Wall {
  const date = new Date(at);
  return { day: (date.getDay() + 6) % 7, minute: date.getHours() * 60 + date.getMinutes() };
}

function zoneWall(zone: string): ((at: number) => Wall) | null {
  const format = formatIn(zone);
  if (format === null) return null;
  let known: { readonly minute: number; readonly wall: Wall } | null = null;
  return (at) => {
    // A wall clock shows the same for a whole minute, and formatting costs more than the rest of a decision.
    const minute = Math.floor(at / 60_000);
    if (known?.minute !== minute) known = { minute, wall: wallOf(format, at) };
    return known.wall;
  };
}

function formatIn(timeZone: string): Intl.DateTimeFormat | null {
  try {
    const options = { timeZone, weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
    return new Intl.DateTimeFormat('en-GB', options);
  } catch {
    return null;
  }
}

function wallOf(format: Intl.DateTimeFormat, at: number): Wall {
  const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, value]));
  const weekday = (parts.get('weekday') ?? '').toLowerCase().slice(0, 3);
  return {
    day: (WEEKDAYS as readonly string[]).indexOf(weekday),
    minute: Number(parts.get('hour')) * 60 + Number(parts.get('minute')),
  };
}
