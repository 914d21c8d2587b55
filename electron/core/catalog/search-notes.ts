import { countOf } from '../../../shared/kinds.ts';
import type { UpstreamView } from '../../../shared/model.ts';
import { closest } from './closest.ts';
import type { Entry, Tool } from './entry.ts';

/** How far the review of an upstream has come. */
export interface Reviewing {
  /** Anything of it was ever accepted by the person. */
  readonly reviewed: boolean;
  readonly awaiting: readonly Entry[];
  readonly changed: readonly Entry[];
}

/** Why something of this upstream may be missing. Our words and our label only. */
export function noteOn(upstream: UpstreamView, shelf: Reviewing): readonly string[] {
  const { name } = upstream;
  if (!upstream.enabled) return [`${name}: disabled by the person; its tools are not available.`];
  const notes: string[] = [];
  if (upstream.status === 'starting') notes.push(`${name}: still starting; search again in a few seconds.`);
  // Whoever is told of it hears it with the page that mends it.
  if (upstream.status === 'failed' && !upstream.needsSignIn) {
    notes.push(`${name}: failed to start or stopped answering; the person sees why on the Upstreams page.`);
  }
  // One that waits for its first call, or was stopped when idle, has a reason: it is as good as running.
  if (upstream.status === 'stopped' && upstream.reason === null)
    notes.push(`${name}: not running; the person can start it on the Upstreams page.`);
  if (shelf.awaiting.length > 0) {
    const theirs = shelf.awaiting.length === 1 ? 'awaits its' : 'await their';
    const review = shelf.reviewed ? 'review' : 'first review';
    notes.push(`${name}: ${countOf(shelf.awaiting)} ${theirs} ${review} by the person.`);
  }
  if (shelf.changed.length > 0) {
    const have = shelf.changed.length === 1 ? 'has' : 'have';
    notes.push(
      `${name}: ${countOf(shelf.changed)} ${have} changed and cannot be ${usedAs(shelf.changed)} before the person reviews the change.`,
    );
  }
  return notes;
}

/** Tools are called; prompts and what templates lead to are got. */
const usedAs = (entries: readonly Entry[]): string =>
  entries.every(({ kind }) => kind === 'tool') ? 'called' : 'used';

export const NOTHING_CONNECTED = 'No upstream is connected yet; the person adds one on the Upstreams page.';

export function unknownUpstream(name: string, visible: readonly UpstreamView[]): string {
  const names = visible.map((of) => of.name);
  const near = closest(name, names);
  const unknown = `There is no upstream ${JSON.stringify(name.slice(0, 64))}.`;
  if (near.length > 0) return `${unknown} Did you mean ${near.join(' or ')}?`;
  return names.length > 0
    ? `${unknown} There are: ${names.slice(0, 30).join(', ')}.`
    : `${unknown} ${NOTHING_CONNECTED}`;
}

export const restOf = (all: number, shown: number): readonly string[] =>
  all > shown ? [`${all - shown} more tools; say what you want to do to find the right one.`] : [];

/** Exposed names that were perhaps meant: `reed file` for `read_file`. */
export function nearest(query: string, tools: readonly Pick<Tool, 'name' | 'exposedName'>[]): readonly string[] {
  const wanted = query.trim().replace(/\s+/g, '_');
  const exposed = new Map(tools.map((tool) => [tool.name, tool.exposedName]));
  return closest(wanted, [...exposed.keys()]).map((name) => exposed.get(name) ?? name);
}

export function nothingFound(searched: number, near: readonly string[]): string {
  const none = `Nothing found among ${searched === 1 ? '1 tool' : `${searched} tools`}.`;
  const names = near.length > 0 ? ` Closest names: ${near.join(', ')}.` : '';
  return `${none}${names} Ask for one thing at a time, as "product: verb object", e.g. "github: list issues".`;
}
