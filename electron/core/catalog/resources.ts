import type { Client, UpstreamView } from '../../../shared/model.ts';
import type { Catalog } from './catalog.ts';

export type ResourceDefinition = Readonly<Record<string, unknown>>;

/**
 * Which upstream a URI belongs to. URIs are never rewritten, so that links inside results still resolve: a URI is looked
 * up among what visible, reviewed upstreams list, then among links that their results held, then among their templates.
 * Where two upstreams claim one URI, the first by name has it at `/mcp`; the other answers at `/u/<upstream>/mcp`.
 */
export interface Resources {
  list(client: Client, onlyUpstream: string | null): readonly ResourceDefinition[];
  /** Null: unknown, or outside what the client may see; the two are told apart nowhere. */
  find(client: Client, onlyUpstream: string | null, uri: string): UpstreamView | null;
  /** Takes in the links of a result that this client was given. */
  learn(clientId: string, upstreamId: string, result: Readonly<Record<string, unknown>>): void;
}

export interface ResourcesParts {
  readonly catalog: Pick<Catalog, 'upstreams' | 'upstream' | 'listedTemplatesOf'>;
  /** Resources of an upstream as it listed them last. */
  readonly upstreams: { resources(upstreamId: string): readonly ResourceDefinition[] };
  /** Pages of apps that reviewed tools name (`_meta.ui.resourceUri`). */
  readonly pages: (upstreamId: string) => readonly unknown[];
  /** Something of this upstream was accepted by the person: what it says may reach agents. */
  readonly isReviewed: (upstreamId: string) => boolean;
}

/** Links remembered per client. */
const MOST_LINKS = 5_000;

export function createResources({ catalog, upstreams, pages, isReviewed }: ResourcesParts): Resources {
  const links = new Map<string, Map<string, string>>();

  function open(client: Client, onlyUpstream: string | null): readonly UpstreamView[] {
    const one = onlyUpstream === null ? null : catalog.upstream(client, onlyUpstream);
    const visible = onlyUpstream === null ? catalog.upstreams(client) : one === null ? [] : [one];
    return visible.filter((upstream) => upstream.enabled && isReviewed(upstream.id));
  }

  return {
    list(client, onlyUpstream) {
      const seen = new Set<unknown>();
      return open(client, onlyUpstream).flatMap((upstream) =>
        upstreams.resources(upstream.id).filter(({ uri }) => {
          if (typeof uri !== 'string' || seen.has(uri)) return false;
          seen.add(uri);
          return true;
        }),
      );
    },

    find(client, onlyUpstream, uri) {
      const among = open(client, onlyUpstream);
      if (onlyUpstream !== null) return among[0] ?? null;
      const listed = among.find(
        ({ id }) => upstreams.resources(id).some((resource) => resource.uri === uri) || pages(id).includes(uri),
      );
      if (listed !== undefined) return listed;
      const linked = links.get(client.id)?.get(uri);
      const known = among.find((upstream) => upstream.id === linked);
      if (known !== undefined) return known;
      return (
        among.find((upstream) =>
          catalog.listedTemplatesOf(client, upstream.name).some(({ uriTemplate }) => mayMatch(uriTemplate, uri)),
        ) ?? null
      );
    },

    learn(clientId, upstreamId, result) {
      const own = links.get(clientId) ?? new Map<string, string>();
      for (const uri of urisIn(result)) {
        own.delete(uri);
        own.set(uri, upstreamId);
        if (own.size > MOST_LINKS) own.delete(own.keys().next().value ?? '');
      }
      if (own.size > 0) links.set(clientId, own);
    },
  };
}

/** Resource links, embedded resources and app pages (`_meta.ui.resourceUri`) of a result's content. */
function urisIn(result: Readonly<Record<string, unknown>>): readonly string[] {
  const content = [
    ...listOf(result.content),
    ...listOf(result.contents),
    ...listOf(result.messages)
      .map((message) => message.content)
      .filter(isObject),
  ];
  const uris = content.flatMap((part) => [part.uri, isObject(part.resource) ? part.resource.uri : undefined]);
  return [...uris, pageOf(result)].filter((uri) => typeof uri === 'string');
}

/** The page of an MCP App that a tool's definition or result names. */
export function pageOf(holder: Readonly<Record<string, unknown>> | null): unknown {
  const meta = holder?._meta;
  return isObject(meta) && isObject(meta.ui) ? meta.ui.resourceUri : undefined;
}

/**
 * Whether a URI could come from an RFC 6570 template: its fixed parts stand in the URI in order, the first at the start
 * and the last at the end. The upstream says whether it exists; this only says whom to ask. Linear in the URI.
 */
export function mayMatch(template: string, uri: string): boolean {
  const fixed = template.split(/\{[^{}]*\}/);
  if (fixed.length === 1) return template === uri;
  const first = fixed[0] ?? '';
  const last = fixed.at(-1) ?? '';
  if (!uri.startsWith(first) || !uri.endsWith(last) || uri.length < first.length + last.length) return false;
  let at = first.length;
  for (const part of fixed.slice(1, -1)) {
    const found = uri.indexOf(part, at);
    if (found < 0 || found + part.length > uri.length - last.length) return false;
    at = found + part.length;
  }
  return true;
}

function listOf(value: unknown): readonly Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
