import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from '../node24.mjs';
import { versionAt } from '../on-demand.mjs';

const PLATFORM = `${process.platform}-${process.arch}`;
/** The one that runs on every processor; its own package, because the one that picks among them needs an install script. */
const OPENCODE = 'opencode-linux-x64-baseline';

/**
 * The real agents: where the program stands after an install that ran no script, what a person sets up once (`connect` are
 * the lines of `gatehouse connect`, run as printed with the key in them), and how one prompt is run to its end.
 */
export const AGENTS = [
  {
    name: 'Claude Code',
    client: 'claude-code',
    package: '@anthropic-ai/claude-code',
    program: (modules) => ['claude', join(modules, `@anthropic-ai/claude-code-${PLATFORM}/claude`)],
    setUp: ({ connect }) => [connect('Claude Code')],
    run: (prompt) => ['claude', '-p', prompt, '--allowedTools', 'mcp__gatehouse'],
    signIn: {
      setUp: ({ endpoint }) => [`claude mcp add --transport http gatehouse ${endpoint}`],
      login: 'claude mcp login gatehouse',
      look: ['claude mcp list', 'Connected'],
      logout: 'claude mcp logout gatehouse',
    },
    // The stand-in cannot look for tools that were put aside, so all are offered.
    env: ({ model }) => ({
      ENABLE_TOOL_SEARCH: 'false',
      ANTHROPIC_BASE_URL: model,
      ANTHROPIC_API_KEY: 'none',
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    }),
  },
  {
    name: 'Codex',
    client: 'codex',
    package: '@openai/codex',
    program: (modules) => ['codex', join(modules, '@openai/codex/bin/codex.js')],
    setUp: ({ connect, model, write }) => {
      const provider = `name = "stand-in"\nbase_url = "${model}/v1"\nwire_api = "responses"\n`;
      // A model it does not know gets its tools one by one; for its own it would want a program that calls them.
      write(
        '.codex/config.toml',
        `model = "standin"\nmodel_provider = "standin"\n\n[model_providers.standin]\n${provider}`,
      );
      return [connect('Codex')];
    },
    signIn: {
      setUp: (connection) => {
        AGENTS.find(({ client }) => client === 'codex').setUp({ ...connection, connect: () => '' });
        return [];
      },
      // It goes on to sign in by itself.
      login: ({ endpoint }) => `codex mcp add gatehouse --url ${endpoint}`,
      look: ['codex mcp list', 'OAuth'],
      logout: 'codex mcp logout gatehouse',
    },
    // A person who is asked by Gatehouse needs no second question here.
    run: (prompt) => ['codex', 'exec', '--skip-git-repo-check', '--dangerously-bypass-approvals-and-sandbox', prompt],
    env: ({ key }) => ({ GATEHOUSE_KEY: key }),
  },
  {
    name: 'Gemini CLI',
    client: 'gemini-cli',
    package: '@google/gemini-cli',
    program: (modules) => ['gemini', join(modules, '@google/gemini-cli/bundle/gemini.js')],
    setUp: ({ connect, write }) => {
      const security = { auth: { selectedType: 'gemini-api-key' } };
      write('.gemini/settings.json', JSON.stringify({ security, privacy: { usageStatisticsEnabled: false } }));
      return [connect('Gemini CLI')];
    },
    run: (prompt) => ['gemini', '--yolo', '--skip-trust', '-m', 'gemini-2.5-flash', '-p', prompt],
    env: ({ model }) => ({ GOOGLE_GEMINI_BASE_URL: model, GEMINI_API_KEY: 'none', GEMINI_CLI_TRUST_WORKSPACE: 'true' }),
  },
  {
    name: 'opencode',
    client: 'opencode',
    package: OPENCODE,
    program: (modules) => ['opencode', join(modules, `${OPENCODE}/bin/opencode`)],
    setUp: ({ endpoint, key, model, write }) => {
      const standin = {
        npm: '@ai-sdk/openai-compatible',
        options: { baseURL: `${model}/v1`, apiKey: 'none' },
        models: { standin: {} },
      };
      const headers = key === null ? {} : { headers: { Authorization: `Bearer ${key}` } };
      const gatehouse = { type: 'remote', url: endpoint, ...headers };
      const settings = { provider: { standin }, mcp: { gatehouse }, autoupdate: false, share: 'disabled' };
      write('.config/opencode/opencode.json', JSON.stringify(settings));
      return [];
    },
    signIn: {
      setUp: ({ endpoint, ...more }) => {
        AGENTS.find(({ client }) => client === 'opencode').setUp({ ...more, endpoint, key: null });
        return [];
      },
      login: 'opencode mcp auth gatehouse',
      look: ['opencode mcp list', 'connected'],
      logout: 'opencode mcp logout gatehouse',
    },
    run: (prompt) => ['opencode', 'run', '--model', 'standin/standin', prompt],
    env: () => ({ OPENCODE_DISABLE_AUTOUPDATE: '1', OPENCODE_DISABLE_MODELS_FETCH: '1' }),
  },
];

/** No agent, and it signs in too: the official inspector's command line. Its tokens go into a file of its home. */
export const INSPECTOR = {
  name: 'MCP inspector',
  client: 'inspector',
  program: () => [
    'mcp-inspector',
    join(ROOT, 'node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js'),
  ],
  package: '@modelcontextprotocol/inspector',
  modules: join(ROOT, 'node_modules'),
  env: () => ({ MCP_INSPECTOR_SECRET_STORE: 'file' }),
  signIn: {
    setUp: () => [],
    login: ({ endpoint }) => inspected(endpoint, 'auto'),
    look: [({ endpoint }) => `${inspected(endpoint, 'legacy')} --stored-auth-only`, 'call_external_tool'],
    logout: null,
  },
};

function inspected(endpoint, era) {
  return `mcp-inspector --cli ${endpoint} --transport http --protocol-era ${era} --method tools/list`;
}

/** A home of its own for one agent: its program on PATH, its settings, an empty folder to work in. */
export function createHome(agent, { folder, modules, connection }) {
  const version = versionAt(join(agent.modules ?? modules, agent.package));
  if (version === null) throw new Error(`${agent.package} is not installed: there is none for ${PLATFORM}`);
  const home = join(folder, agent.client);
  const bin = join(home, 'bin');
  const work = join(home, 'work');
  for (const each of [bin, work]) mkdirSync(each, { recursive: true });
  const [program, target] = agent.program(modules);
  symlinkSync(target, join(bin, program));
  const write = (path, text) => {
    mkdirSync(dirname(join(home, path)), { recursive: true });
    writeFileSync(join(home, path), text);
  };
  return {
    version,
    work,
    env: {
      HOME: home,
      // npm's own Node comes after this one, for the agents that are scripts.
      PATH: [bin, dirname(process.execPath), process.env.PATH].join(':'),
      LANG: 'C.UTF-8',
      TMPDIR: home,
      ...agent.env(connection),
    },
    setUp: agent.setUp({ ...connection, write }),
  };
}
