/**
 * Real servers from npm, none of which needs a real credential to list its tools. `program` is inside the package; `tools`
 * is how many it lists to a client that declares what Gatehouse does; those with `fails` never get that far without a network.
 */
export const SERVERS = [
  { name: 'everything', package: '@modelcontextprotocol/server-everything', program: 'dist/index.js', tools: 17 },
  {
    name: 'filesystem',
    package: '@modelcontextprotocol/server-filesystem',
    program: 'dist/index.js',
    args: ['.'],
    tools: 14,
  },
  {
    name: 'memory',
    package: '@modelcontextprotocol/server-memory',
    program: 'dist/index.js',
    env: { MEMORY_FILE_PATH: 'memory.jsonl' },
    tools: 9,
  },
  {
    name: 'sequential-thinking',
    package: '@modelcontextprotocol/server-sequential-thinking',
    program: 'dist/index.js',
    tools: 1,
  },
  {
    name: 'github',
    package: '@modelcontextprotocol/server-github',
    program: 'dist/index.js',
    env: { GITHUB_PERSONAL_ACCESS_TOKEN: 'x' },
    tools: 26,
  },
  { name: 'playwright', package: '@playwright/mcp', program: 'cli.js', args: ['--headless'], tools: 25 },
  {
    name: 'chrome-devtools',
    package: 'chrome-devtools-mcp',
    program: 'build/src/bin/chrome-devtools-mcp.js',
    args: ['--headless', '--no-usage-statistics'],
    tools: 32,
  },
  {
    name: 'notion',
    package: '@notionhq/notion-mcp-server',
    program: 'bin/cli.mjs',
    env: { NOTION_TOKEN: 'ntn_x' },
    tools: 24,
  },
  { name: 'context7', package: '@upstash/context7-mcp', program: 'dist/index.js', tools: 2 },
  { name: 'mongodb', package: 'mongodb-mcp-server', program: 'dist/esm/index.js', tools: 27 },
  { name: 'sentry', package: '@sentry/mcp-server', program: 'dist/index.js', args: ['--access-token=x'], tools: 22 },
  {
    name: 'firecrawl',
    package: 'firecrawl-mcp',
    program: 'dist/index.js',
    env: { FIRECRAWL_API_KEY: 'x' },
    tools: 26,
  },
  { name: 'tavily', package: 'tavily-mcp', program: 'build/index.js', env: { TAVILY_API_KEY: 'x' }, tools: 5 },
  { name: 'exa', package: 'exa-mcp-server', program: 'dist/stdio.cjs', env: { EXA_API_KEY: 'x' }, tools: 2 },
  {
    name: 'figma',
    package: 'figma-developer-mcp',
    program: 'dist/bin.js',
    args: ['--stdio', '--figma-api-key=x'],
    tools: 2,
  },
  { name: 'kubernetes', package: 'mcp-server-kubernetes', program: 'dist/index.js', tools: 23 },
  { name: 'eslint', package: '@eslint/mcp', program: 'src/mcp-cli.js', tools: 1 },
  {
    name: 'supabase',
    package: '@supabase/mcp-server-supabase',
    program: 'dist/cli.js',
    args: ['--access-token=x'],
    fails: 'does not list',
  },
  { name: 'stripe', package: '@stripe/mcp', program: 'dist/index.js', args: ['--api-key=sk_test_x'], fails: 'hangs' },
  { name: 'heroku', package: '@heroku/mcp-server', program: 'bin/heroku-mcp-server.mjs', fails: 'exits' },
];
