// A stdio MCP server that records every byte it gets. Plain Node, no dependencies.
//
//   node recorder-stdio.mjs <record file> [options] [other words: only recorded]
//
// The record file gets one JSON line per event, {at, pid, kind, …}:
//   started {argv, env, cwd}   at start, before anything is read: so a file that does not exist means no process ran
//   line    {raw}              every line from stdin, as it came, without its newline
//   signal  {name}  end {}     SIGTERM with --ignore-sigterm; stdin was closed
//
// Tools: echo {text, delayMs}, slow {ms}, big {bytes, blocks, image}, never, crash, fail {text}, rpc_error {code, message, data},
// strange (unknown members and content types), ask_client {method, params}, change_definition {description}, and
// delete_all, whose annotations lie. echo answers with the JSON of its arguments as text.
//
// Options (all `--name` or `--name=value`):
//   --tools=a,b             lists only these; names not known become tools that echo
//   --many=N                lists N tools more (tool_0 …)        --prompts=N   has N prompts
//   --definitions=PATH      lists the `tools` of this file instead, and answers with its `results` by name and its `pages` by URI
//   --schema=JSON           lists `shaped`, which echoes, with this input schema
//   --description=TEXT      of echo; --description-file=PATH is read at every tools/list. SIGUSR2 sends list_changed
//   --later=NAME            with --tools: lists this tool too from the first SIGUSR2 on
//   --server-name=TEXT      what it calls itself
//   --era=legacy|modern|dual, --version=2025-06-18    default legacy, 2025-11-25
//   --delay=MS              before every echo        --start-delay=MS   before the answer to initialize
//   --silent                never answers anything   --list-error       tools/list answers -32603
//   --page-size=N           tools/list in pages      --endless-cursor   every page names a next one
//   --exit-at-start[=CODE]  ends at once, after one line on stderr
//   --garbage               prints what is not MCP around its answers (M11)
//   --garbage-only          prints garbage and never answers
//   --endless-line=BYTES    writes so many bytes without a newline at the first tools/call (M13)
//   --stderr=TEXT           one line on stderr at start
//   --leak=NAME             writes this entry of its environment to stderr: as it is, as JSON, and without an end of line
//   --ignore-sigterm        goes on after SIGTERM and after stdin was closed
//   --stubborn-child        starts a child in the same group that ignores SIGTERM and keeps the pipes open; records its pid
//   --no-progress           slow sends no progress
//   --exact-tool            lists `exact`, which says the JSON texts it is given as they are
//   --others=N              offers N prompts, resources and resource templates, each time in another order
//   --logging               says that it can log, and takes any level
import { spawn } from 'node:child_process';
import { createAnswers, readOptions, recordTo, serialize } from './recorder-answers.mjs';

const options = readOptions(process.argv.slice(2));
const record = recordTo(options._[0]);
record('started', { argv: process.argv.slice(2), env: { ...process.env }, cwd: process.cwd() });

if (options.stderr) process.stderr.write(`${options.stderr}\n`);
if (options.leak) {
  const value = process.env[options.leak];
  process.stderr.write(
    `${value}\n${JSON.stringify({ [options.leak]: value })}\n${encodeURIComponent(value)}\n${value}`,
  );
}
if (options['exit-at-start']) {
  process.stderr.write('recorder: asked to end at start\n');
  process.exit(options['exit-at-start'] === true ? 1 : Number(options['exit-at-start']));
}
if (options['ignore-sigterm']) process.on('SIGTERM', () => record('signal', { name: 'SIGTERM' }));
if (options['stubborn-child']) {
  const child = spawn(process.execPath, ['-e', "process.on('SIGTERM',()=>{});setInterval(()=>{},1000)"], {
    stdio: 'inherit',
  });
  record('child', { child: child.pid });
}

const GARBAGE = [
  'Listening on 3000',
  '\u001b[31mred\u001b[0m',
  '{',
  'null',
  '[]',
  '123',
  '',
  '   ',
  '\ufeff',
  '{"jsonrpc":"2.0"}',
  '"text"',
];
const write = (text) => process.stdout.write(text);
const garbage = () => {
  for (const line of GARBAGE) write(`${line}\n`);
  process.stdout.write(Buffer.from([0xff, 0xfe, 0x80, 0x0a]));
};
if (options.garbage || options['garbage-only']) garbage();

const answers = createAnswers(options, (message) => {
  if (options['garbage-only']) return garbage();
  if (options.garbage) garbage();
  write(`${serialize(message)}${options.garbage ? '\r\n' : '\n'}`);
});
process.on('SIGUSR2', () => {
  if (options.later) options.tools = [options.tools, options.later].join(',');
  delete options.later;
  answers.changed();
});

let endless = Number(options['endless-line'] ?? 0);
function pour() {
  while (endless > 0) {
    const size = Math.min(endless, 65_536);
    endless -= size;
    if (!write('x'.repeat(size))) return process.stdout.once('drain', pour);
  }
}

let rest = Buffer.alloc(0);
function read() {
  process.stdin.on('data', (chunk) => {
    rest = rest.length ? Buffer.concat([rest, chunk]) : chunk;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      const raw = rest.subarray(0, end).toString('utf8');
      rest = rest.subarray(end + 1);
      record('line', { raw });
      const message = JSON.parse(raw);
      if (endless > 0 && message.method === 'tools/call') pour();
      else answers.handle(message);
    }
  });
  process.stdin.on('end', () => {
    record('end', {});
    if (options['ignore-sigterm']) setInterval(() => {}, 1000);
    else process.exit(0);
  });
}
if (options['wake-after']) setTimeout(read, Number(options['wake-after']));
else read();
