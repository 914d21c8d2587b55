import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';

/** A way to a port of this machine that can be cut, as a change of network or a sleep of the machine cuts connections. */
export interface Cuttable extends AsyncDisposable {
  readonly port: number;
  /** Every connection that is open now ends at once, without a word; new ones are taken. Resolves to how many there were. */
  cut(): number;
}

export async function cuttable(to: number): Promise<Cuttable> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // The other side may be gone already; its end is what this is about.
    socket.on('error', () => {});
    return socket;
  };
  const server = createServer((near) => {
    const far = keep(connect(to, '127.0.0.1'));
    keep(near).pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    const open = sockets.size / 2;
    for (const socket of sockets) socket.resetAndDestroy();
    return open;
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      await closed;
    },
  };
}
