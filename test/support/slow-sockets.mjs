// Sockets that never finish their request, from a process of their own. Plain Node, no dependencies.
//
//   node slow-sockets.mjs PORT COUNT KIND EVERY_MS [KEY]
//
// KIND `head` sends one byte of a header line every EVERY_MS, `silent` sends nothing, `body` sends a valid head with KEY and
// then one byte of its body. Prints, once every socket was closed by the other side, one JSON line:
// {"lived":[ms of each socket, sorted],"answers":{"408":n,"":n}} with the status of what came back.
import { connect } from 'node:net';

const [port, count, kind, every, key] = process.argv.slice(2);
const head = [
  'POST /mcp HTTP/1.1',
  `Host: 127.0.0.1:${port}`,
  `Authorization: Bearer ${key}`,
  'Content-Type: application/json',
  'Content-Length: 1000',
  '',
  '',
].join('\r\n');

const lived = [];
const answers = {};
function open() {
  const began = performance.now();
  let received = '';
  let timer;
  const socket = connect(Number(port), '127.0.0.1', () => {
    if (kind === 'silent') return;
    socket.write(kind === 'body' ? head : `POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nX-Slow: `);
    timer = setInterval(() => socket.writable && socket.write('a'), Number(every));
  });
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1');
  });
  socket.on('error', () => {
    // A reset is an end too.
  });
  socket.on('close', () => {
    clearInterval(timer);
    lived.push(Math.round(performance.now() - began));
    const status = /^HTTP\/1\.1 (\d+)/.exec(received)?.[1] ?? '';
    answers[status] = (answers[status] ?? 0) + 1;
    if (lived.length === Number(count))
      process.stdout.write(`${JSON.stringify({ lived: lived.sort((a, b) => a - b), answers })}\n`);
  });
}
for (let at = 0; at < Number(count); at += 1) open();
