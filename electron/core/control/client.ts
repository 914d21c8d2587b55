import { connect, type Socket } from 'node:net';
import type { RequestInput, RequestName } from '../../../shared/api.ts';
import type { Topic } from '../../../shared/model.ts';
import type { ApiAnswer } from '../api.ts';
import { findControlAddress } from './address.ts';
import { createLines, type ToCommandLine } from './protocol.ts';

/** The running app hung up before it answered: it was closed, or it died. */
export type Gone = { readonly kind: 'gone'; readonly message: string };

export interface ControlClient {
  request<N extends RequestName>(name: N, input: RequestInput<N>): Promise<ApiAnswer<N> | Gone>;
  /** Calls `then` for every change from now on; returns the end of it. */
  subscribe(then: (topic: Topic) => void): () => void;
  /** Resolves when the app hangs up. */
  readonly gone: Promise<Gone>;
  close(): void;
}

/** Reaches the app that runs on this data folder; null when none does (a socket left behind by a dead one counts as none). */
export async function connectControl(folder: string): Promise<ControlClient | null> {
  const socket = await reach(findControlAddress(folder));
  return socket && speakControl(socket);
}

function reach(path: string): Promise<Socket | null> {
  return new Promise((done) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      done(socket);
    });
    socket.once('error', () => done(null));
  });
}

function speakControl(socket: Socket): ControlClient {
  const waiting = new Map<number, (answer: ApiAnswer | Gone) => void>();
  const listeners = new Set<(topic: Topic) => void>();
  let nextId = 1;
  let subscribed = false;
  let reason = 'Gatehouse closed before it answered.';
  let ended: Gone | null = null;

  const onLine = createLines((line) => {
    // The other end is the app of the same person, found in a folder only they can write.
    const message = JSON.parse(line) as ToCommandLine;
    if ('topic' in message) {
      for (const listener of listeners) listener(message.topic);
    } else if ('error' in message) {
      reason = message.error;
    } else {
      waiting.get(message.id)?.(message.answer);
      waiting.delete(message.id);
    }
  });
  const gone = new Promise<Gone>((done) => {
    socket.on('close', () => {
      ended = { kind: 'gone', message: reason };
      for (const answer of waiting.values()) answer(ended);
      waiting.clear();
      done(ended);
    });
  });
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    if (!onLine(text)) socket.destroy();
  });
  // `close` follows and tells everybody who waits.
  socket.on('error', () => {});

  return {
    async request<N extends RequestName>(name: N, input: RequestInput<N>): Promise<ApiAnswer<N> | Gone> {
      if (ended) return ended;
      const id = nextId++;
      const answer = await new Promise<ApiAnswer | Gone>((done) => {
        waiting.set(id, done);
        socket.write(`${JSON.stringify({ id, name, input })}\n`);
      });
      // The server answers a request with the result of that request.
      return answer as ApiAnswer<N> | Gone;
    },
    subscribe(then) {
      listeners.add(then);
      if (!subscribed) socket.write('{"subscribe":true}\n');
      subscribed = true;
      return () => listeners.delete(then);
    },
    gone,
    close: () => socket.destroy(),
  };
}
