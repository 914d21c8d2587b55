// Tries to reach the world in the ways that a program does by accident: a name, an address, a datagram.
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';

await fetch('http://gatehouse.example/').catch(() => null);
await new Promise((resolve) => {
  connect(443, '192.0.2.1').on('error', resolve);
});
await new Promise((resolve) => {
  createSocket('udp4').send('x', 53, '198.51.100.1', resolve);
});
process.exit(0);
