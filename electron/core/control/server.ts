import { randomBytes } from 'node:crypto';
import { lstatSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { Topic } from '../../../shared/model.ts';
import type { Api, Caller } from '../api.ts';
import { faultFields } from '../diagnosis/fault.ts';
import type { Log } from '../diagnosis/log.ts';
import { silentLog } from '../diagnosis/log.ts';
import { makeControlAddress } from './address.ts';
import { createLines, FromCommandLine, type ToCommandLine } from './protocol.ts';

export interface ControlParts {
  /** The data folder; 0700. */
  readonly folder: string;
  readonly api: Api;
  /** `core.subscribe`. */
  subscribe(listener: (topic: Topic) => void): () => void;
  readonly log?: Log;
}

export interface ControlServer {
  readonly address: string;
  /** Ends every connection and removes the socket. */
  close(): Promise<void>;
}

export type ControlStart =
  | { readonly kind: 'serving'; readonly server: ControlServer }
  | { readonly kind: 'fault'; readonly message: string };

/**
 * Listens for the command line: a 0600 unix socket in the data folder, a named pipe on Windows. Every request is made
 * as origin `cli`, which may neither approve a call nor answer a confirmation.
 */
export async function serveControl({ folder, api, subscribe, log = silentLog }: ControlParts): Promise<ControlStart> {
  const address = makeControlAddress(folder);
  const obstacle = clearStaleSocket(address.path);
  if (obstacle !== null) return { kind: 'fault', message: obstacle };

  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    answerCommandLine(socket, api, subscribe, log);
  });
  const failure = await listenPrivately(server, address.path);
  if (failure !== null) {
    address.forget();
    return {
      kind: 'fault',
      message: `The command line cannot reach Gatehouse: its socket ${address.path} cannot be opened (${failure}).`,
    };
  }
  return {
    kind: 'serving',
    server: {
      address: address.path,
      async close() {
        for (const socket of sockets) socket.destroy();
        await new Promise<void>((done) => server.close(() => done()));
        address.forget();
      },
    },
  };
}

const CALLER: Caller = { origin: 'cli', label: 'command line' };

function answerCommandLine(socket: Socket, api: Api, subscribe: ControlParts['subscribe'], log: Log): void {
  let unsubscribe: (() => void) | null = null;
  const send = (message: ToCommandLine) => {
    if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
  };
  const hangUp = (error: string) => {
    send({ error });
    socket.end();
  };

  const onLine = createLines((line) => {
    const message = FromCommandLine.safeParse(parseJson(line));
    if (!message.success) return hangUp('This is not a request of the Gatehouse command line.');
    if ('subscribe' in message.data) {
      unsubscribe ??= subscribe((topic) => send({ topic }));
      return;
    }
    const { id, name, input } = message.data;
    api.request(name, input, CALLER).then(
      (answer) => send({ id, answer }),
      (fault: unknown) => {
        // A bug of ours must reach the log, and the person must not wait for an answer that never comes.
        const requestId = randomBytes(8).toString('hex');
        log.error('control_request_failed', { requestId, ...faultFields(fault) });
        const message = `Gatehouse failed to answer. The log has more under request ${requestId}.`;
        send({ id, answer: { kind: 'bad_request', message } });
      },
    );
  });

  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    if (!onLine(text)) hangUp('The request is too long.');
  });
  // A command that was interrupted resets its connection; `close` follows and is all that matters.
  socket.on('error', () => {});
  socket.on('close', () => unsubscribe?.());
}

/** `bind` happens inside `listen`, so the socket is never there with wider permissions than 0600. */
function listenPrivately(server: Server, path: string): Promise<string | null> {
  return new Promise((done) => {
    const onError = (error: NodeJS.ErrnoException) => done(error.code ?? error.message);
    server.once('error', onError);
    const before = process.umask(0o177);
    try {
      server.listen(path, () => {
        server.off('error', onError);
        done(null);
      });
    } finally {
      process.umask(before);
    }
  });
}

/** The instance lock is held by now, so a socket that is still there was left by a process that died. */
function clearStaleSocket(path: string): string | null {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return null;
  if (!found.isSocket()) return `${path} is in the way of the command line's socket; move it away and start again.`;
  rmSync(path);
  return null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
