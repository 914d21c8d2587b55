import { connect } from 'node:net';

/**
 * A small HTTP/1.1 client over bare sockets that stay open: it shares the processor with what it measures, so a request
 * must cost it next to nothing. It knows what the answers here have: a length, chunks, or no body at all.
 *
 * @returns `post(body, headers)` resolves with `{ status, headers, body }`; names of headers in lower case.
 */
export function createHttpClient(url, always) {
  const { hostname, port, pathname } = new URL(url);
  const head = `POST ${pathname} HTTP/1.1\r\nhost: ${hostname}:${port}\r\n${lines(always)}`;
  const idle = [];
  const all = new Set();

  function open() {
    const line = createLine(connect({ host: hostname, port: Number(port), noDelay: true }));
    all.add(line);
    return line;
  }

  return {
    async post(body, headers = {}) {
      // The other side closes a connection that it has not used for some seconds.
      let line = idle.pop() ?? open();
      while (line.isClosed()) line = idle.pop() ?? open();
      const answer = await line.ask(
        `${head}${lines(headers)}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
      if (answer.headers.connection !== 'close') idle.push(line);
      return answer;
    },
    close() {
      for (const line of all) line.close();
    },
  };
}

function lines(headers) {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
}

/** One socket, one request at a time. */
function createLine(socket) {
  let waiting = null;
  let closed = false;
  let received = Buffer.of();

  socket.on('data', (chunk) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const answer = read(received);
    if (answer === null || waiting === null) return;
    const { resolve } = waiting;
    waiting = null;
    received = Buffer.of();
    resolve(answer);
  });
  const fail = (why) => {
    waiting?.reject(new Error(why));
    waiting = null;
  };
  socket.on('error', (error) => fail(error.message));
  socket.on('close', () => {
    closed = true;
    fail('the connection was closed before the answer was complete');
  });

  return {
    ask: (text) =>
      new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        socket.write(text);
      }),
    isClosed: () => closed,
    close: () => socket.destroy(),
  };
}

/** The answer when it is complete, else null. */
function read(received) {
  const end = received.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const [first, ...rest] = received.latin1Slice(0, end).split('\r\n');
  const headers = {};
  for (const line of rest) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const body =
    headers['transfer-encoding'] === 'chunked' ? chunks(received, end + 4) : whole(received, end + 4, headers);
  return body === null ? null : { status: Number(first.split(' ')[1]), headers, body };
}

function whole(received, start, headers) {
  const length = Number(headers['content-length'] ?? 0);
  return received.length < start + length ? null : received.utf8Slice(start, start + length);
}

function chunks(received, start) {
  const parts = [];
  for (let at = start; ; ) {
    const line = received.indexOf('\r\n', at);
    if (line < 0) return null;
    const size = Number.parseInt(received.latin1Slice(at, line), 16);
    const next = line + 2 + size + 2;
    if (received.length < next) return null;
    if (size === 0) return Buffer.concat(parts).toString('utf8');
    parts.push(received.subarray(line + 2, line + 2 + size));
    at = next;
  }
}
