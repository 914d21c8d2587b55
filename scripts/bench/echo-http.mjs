/* The echo upstream over Streamable HTTP: `node echo-http.mjs <number of tools>` prints its address on one line. */
import { createServer } from 'node:http';
import { createAnswers } from './echo-answers.mjs';

const answers = createAnswers(Number(process.argv[2] ?? 10));
const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  if (request.method !== 'POST') return void response.writeHead(405, { allow: 'POST' }).end();
  let text = '';
  request.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  request.on('end', async () => {
    const answer = await answers(text);
    if (answer === null) return void response.writeHead(202).end();
    response
      .writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(answer) })
      .end(answer);
  });
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`http://127.0.0.1:${server.address().port}/mcp\n`));
// Ends with whoever started it, however that ended.
process.stdin.resume().on('end', () => process.exit());
