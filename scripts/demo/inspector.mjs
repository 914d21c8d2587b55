import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { environment, ROOT } from '../node24.mjs';

const INSPECTOR = join(ROOT, 'node_modules/.bin/mcp-inspector');

/** The real MCP inspector's command line as the client. */
export function createInspector(endpoint, key) {
  async function run(era, args) {
    const all = [
      '--cli',
      endpoint,
      '--transport',
      'http',
      '--protocol-era',
      era,
      '--header',
      `Authorization: Bearer ${key}`,
      ...args,
    ];
    const child = spawn(process.execPath, [INSPECTOR, ...all], {
      env: environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    const [code] = await once(child, 'close');
    return { code, stdout, stderr };
  }

  /** The result of a tool; a result with isError is one too (the inspector exits with an error then, after printing it). */
  async function result(era, args) {
    const { stdout, stderr } = await run(era, args);
    try {
      return JSON.parse(stdout);
    } catch {
      throw new Error(`the inspector printed no result: ${(stdout + stderr).trim().slice(0, 400)}`);
    }
  }

  return {
    list: (era) => result(era, ['--method', 'tools/list']),
    meta: (era, tool, input) => result(era, ['--method', 'tools/call', '--tool-name', tool, ...pairs(input)]),
    /** `call_external_tool`; `meanwhile` is what the person does while it waits. */
    async external(era, upstream, tool, input, meanwhile = () => Promise.resolve()) {
      const calling = result(era, [
        '--method',
        'tools/call',
        '--tool-name',
        'call_external_tool',
        ...pairs({ upstream, tool, arguments: JSON.stringify(input) }),
      ]);
      const [answer] = await Promise.all([calling, meanwhile()]);
      return answer;
    },
    /** What it says when it may not even list. */
    async refusal(era) {
      const { code, stdout, stderr } = await run(era, ['--stored-auth-only', '--method', 'tools/list']);
      if (code === 0) throw new Error('it was let in');
      return stdout + stderr;
    },
  };
}

function pairs(input) {
  return Object.entries(input).flatMap(([name, value]) => ['--tool-arg', `${name}=${value}`]);
}
