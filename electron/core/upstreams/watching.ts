import type { Client } from '@modelcontextprotocol/client';
import type { Era } from '../../../shared/model.ts';
import type { Ask } from './exchange.ts';
import type { LinkParts } from './link.ts';
import type { UpstreamOutcome } from './request.ts';

/** Hears of changes: of lists always, of single resources while somebody subscribed to them. */
export interface Watching {
  watch(uris: ReadonlySet<string>): Promise<UpstreamOutcome>;
}

/**
 * The legacy era pushes by itself and takes each subscription as a request; the modern era sends changes only to those
 * who listen, all of them on one stream, which is opened anew when the resources change or when it broke.
 */
export function createWatching(
  client: Client,
  ask: Ask,
  era: Era,
  parts: LinkParts,
  capabilities: Readonly<Record<string, unknown>>,
  isOpen: () => boolean,
): Watching {
  const watched = new Set<string>();
  if (era === 'legacy') return { watch: (uris) => subscribe(ask, watched, uris, parts) };

  let reopen: (() => void) | null = null;
  const wantsLists = ['tools', 'prompts', 'resources'].some((name) => hasListChanged(capabilities[name]));
  if (wantsLists) void listen();

  async function listen(): Promise<void> {
    while (isOpen()) {
      const again = new Promise<void>((resolve) => {
        reopen = resolve;
      });
      try {
        const filter = {
          toolsListChanged: true,
          promptsListChanged: true,
          resourcesListChanged: true,
          ...(watched.size === 0 ? {} : { resourceSubscriptions: [...watched] }),
        };
        const subscription = await client.listen(filter, { timeout: parts.limits.startMs });
        const why = await Promise.race([subscription.closed.then(() => 'closed'), again.then(() => 'changed')]);
        if (why === 'changed') {
          await subscription.close();
          continue;
        }
        // Whatever changed while nobody listened.
        if (isOpen()) parts.onListChanged();
      } catch {
        // Without a stream the list is read again at every start and refresh.
      }
      await Promise.race([again, new Promise<void>((resolve) => parts.clock.after(LISTEN_AGAIN_MS, resolve))]);
    }
  }

  return {
    async watch(uris) {
      watched.clear();
      for (const uri of uris) watched.add(uri);
      if (reopen === null) void listen();
      else reopen();
      return { kind: 'answered', result: {}, resultText: '{}', bytes: 2 };
    },
  };
}

async function subscribe(
  ask: Ask,
  watched: Set<string>,
  uris: ReadonlySet<string>,
  { name, limits }: LinkParts,
): Promise<UpstreamOutcome> {
  const changes = [
    ...[...uris].filter((uri) => !watched.has(uri)).map((uri) => ['resources/subscribe', uri] as const),
    ...[...watched].filter((uri) => !uris.has(uri)).map((uri) => ['resources/unsubscribe', uri] as const),
  ];
  for (const [method, uri] of changes) {
    const answer = await ask(method, { uri }, { signal: AbortSignal.timeout(limits.callMs) });
    if (answer.kind === 'error') return answer;
    if (answer.kind !== 'result') {
      const message = `${name} did not answer whether it watches this resource.`;
      return { kind: 'failed', errorClass: 'upstream_unreachable', message };
    }
    if (method === 'resources/subscribe') watched.add(uri);
    else watched.delete(uri);
  }
  return { kind: 'answered', result: {}, resultText: '{}', bytes: 2 };
}

function hasListChanged(capability: unknown): boolean {
  return (
    typeof capability === 'object' &&
    capability !== null &&
    'listChanged' in capability &&
    capability.listChanged === true
  );
}

const LISTEN_AGAIN_MS = 2_000;
