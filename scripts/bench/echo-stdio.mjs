/* The echo upstream on standard input and output: `node echo-stdio.mjs <number of tools>`. */
import { createAnswers } from './echo-answers.mjs';

const answers = createAnswers(Number(process.argv[2] ?? 10));
let rest = '';
process.stdin.setEncoding('utf8').on('data', (chunk) => {
  const lines = (rest + chunk).split('\n');
  rest = lines.pop();
  for (const line of lines) void reply(line);
});

async function reply(line) {
  const answer = await answers(line);
  if (answer !== null) process.stdout.write(`${answer}\n`);
}
