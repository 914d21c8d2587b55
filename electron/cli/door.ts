import type { Refused, RequestInput, RequestName, RequestResult } from '../../shared/api.ts';
import type { Topic } from '../../shared/model.ts';
import type { ApiAnswer } from '../core/api.ts';
import { type ControlClient, connectControl, type Gone } from '../core/control/client.ts';
import type { Core, StartFault } from '../core/core.ts';
import type { Terminal } from './terminal.ts';
import { visible } from './untrusted.ts';

/** What a request gives when it was not refused. */
export type Granted<N extends RequestName> = Exclude<RequestResult<N>, Refused>;

/** Where the commands ask: the running app over its socket, or the core opened in this process for one command. */
export interface Door {
  readonly running: boolean;
  /** Null when it was refused or failed; the reason was said on stderr by then. */
  ask<N extends RequestName>(name: N, input: RequestInput<N>): Promise<Granted<N> | null>;
  /** Tells of every change; does nothing where no app runs. */
  subscribe(then: (topic: Topic) => void): () => void;
  /** Resolves when the running app closes; never where none runs. */
  readonly gone: Promise<void>;
  close(): Promise<void>;
}

/** Opens the door of a data folder; null when it does not open, and why was said. */
export async function openDoor(
  folder: string,
  terminal: Terminal,
  openCore: (folder: string) => Promise<Core | StartFault>,
): Promise<Door | null> {
  const client = await connectControl(folder);
  if (client) return doorOfApp(client, terminal);
  const core = await openCore(folder);
  if (!('kind' in core)) return doorOfCore(core, terminal);
  terminal.say(`gatehouse: ${visible(core.message)}`);
  return null;
}

/** Opens the door of the app that runs with a data folder; null where none does. */
export async function openRunningDoor(folder: string, terminal: Terminal): Promise<Door | null> {
  const client = await connectControl(folder);
  return client ? doorOfApp(client, terminal) : null;
}

/** After so long without an answer the person is told what the request waits for. Milliseconds. */
const SAY_WAITING_AFTER_MS = 250;

function doorOfApp(client: ControlClient, terminal: Terminal): Door {
  return {
    running: true,
    async ask(name, input) {
      const before = await waitingConfirmations(client);
      const answer = client.request(name, input);
      const stop = sayWhatItWaitsFor(client, terminal, new Set(before.map((confirmation) => confirmation.id)));
      try {
        return granted(await answer, terminal);
      } finally {
        stop();
      }
    },
    subscribe: client.subscribe,
    gone: client.gone.then(() => {}),
    close: async () => client.close(),
  };
}

function doorOfCore(core: Core, terminal: Terminal): Door {
  return {
    running: false,
    async ask<N extends RequestName>(name: N, input: RequestInput<N>) {
      const answer = await core.api.request(name, input, { origin: 'cli', label: 'command line' });
      // The API answers a request with the result of that request.
      return granted(answer as ApiAnswer<N>, terminal);
    },
    subscribe: core.subscribe,
    gone: new Promise(() => {}),
    close: () => core.close(),
  };
}

function granted<N extends RequestName>(answer: ApiAnswer<N> | Gone, terminal: Terminal): Granted<N> | null {
  if (answer.kind !== 'answered') {
    terminal.say(`gatehouse: ${visible(answer.message)}`);
    return null;
  }
  // Its type is one of all results, which the compiler cannot narrow by itself.
  const result: unknown = answer.result;
  if (isRefused(result)) {
    const place = result.line === undefined ? '' : ` (line ${result.line}, column ${result.column ?? 1})`;
    // A message that says where by itself is not told twice.
    const known = result.line !== undefined && result.message.includes(`line ${result.line}`);
    terminal.say(`gatehouse: ${visible(result.message)}${known ? '' : place}`);
    return null;
  }
  return result as Granted<N>;
}

function isRefused(result: unknown): result is Refused {
  return typeof result === 'object' && result !== null && 'kind' in result && result.kind === 'refused';
}

/** While a request has no answer: each confirmation that came up since is named once. Returns the end of it. */
function sayWhatItWaitsFor(client: ControlClient, terminal: Terminal, known: Set<string>): () => void {
  let over = false;
  const look = async () => {
    const waiting = await waitingConfirmations(client);
    const fresh = waiting.filter((confirmation) => !known.has(confirmation.id));
    if (over || fresh.length === 0) return;
    for (const confirmation of fresh) known.add(confirmation.id);
    const status = await client.request('status', {});
    const desktop = status.kind === 'answered' && status.result.mode === 'desktop';
    const where = desktop ? 'in the approval window' : 'in the dashboard';
    if (over) return;
    for (const { title } of fresh) terminal.say(`Waiting for you to confirm ${where}: ${visible(title)}`);
  };
  const timer = setTimeout(look, SAY_WAITING_AFTER_MS);
  const unsubscribe = client.subscribe((topic) => {
    if (topic === 'confirmations') void look();
  });
  return () => {
    over = true;
    clearTimeout(timer);
    unsubscribe();
  };
}

async function waitingConfirmations(client: ControlClient) {
  const answer = await client.request('confirmationsList', {});
  return answer.kind === 'answered' ? answer.result : [];
}
