import type { ServerResponse } from 'node:http';
import type { Core } from '../core/core.ts';
import type { Clock } from '../core/platform.ts';

const HEARTBEAT_MS = 15_000;
const UNREAD_AT_MOST = 64 * 1024;

/**
 * The live stream of one tab: the name of each topic that changed, as Server-Sent Events. While it is open its person
 * counts as an approver (design section 3); the returned function ends it.
 */
export function openStream(
  response: ServerResponse,
  headers: Readonly<Record<string, string>>,
  { core, clock }: { readonly core: Core; readonly clock: Clock },
): () => void {
  response.writeHead(200, { ...headers, 'content-type': 'text/event-stream; charset=utf-8' });
  response.write(': open\n\n');
  const leave = core.approvers.arrive('dashboard');
  const unsubscribe = core.subscribe((topic) => send(`data: ${topic}\n\n`));
  let stopHeartbeat = clock.after(HEARTBEAT_MS, beat);
  let ended = false;

  function send(text: string): void {
    if (ended) return;
    response.write(text);
    // A tab that does not read is no approver; it asks for everything again when it comes back.
    if (response.writableLength > UNREAD_AT_MOST) response.destroy();
  }
  function beat(): void {
    send(': still here\n\n');
    stopHeartbeat = clock.after(HEARTBEAT_MS, beat);
  }
  function end(): void {
    if (ended) return;
    ended = true;
    stopHeartbeat();
    unsubscribe();
    leave();
    response.end();
  }
  response.once('close', end);
  return end;
}
