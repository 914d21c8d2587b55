import { type AddressInfo, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A service of this machine that nobody has a reason to reach. */
export interface SocketSpy {
  readonly port: number;
  /** How many connections were made to it, and what was written on them. */
  connects(): number;
  received(): string;
}

/** Listens on every address of this machine, of both families where there are both. */
export async function startSocketSpy(): Promise<SocketSpy> {
  const sockets: Socket[] = [];
  let received = '';
  const take = (socket: Socket) => {
    sockets.push(socket);
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
    });
    socket.on('error', () => {});
  };
  const server = createServer(take);
  // `::` takes IPv4 too; where there is no IPv6, there is nothing to reach by it.
  const listensOn = (address: string) =>
    new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(0, address, () => resolve(true));
    });
  if (!(await listensOn('::'))) await listensOn('0.0.0.0');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    connects: () => sockets.length,
    received: () => received,
  };
}
