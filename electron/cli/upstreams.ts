import { resolve } from 'node:path';
import type { RequestInput } from '../../shared/api.ts';
import type { UpstreamTransport, UpstreamView } from '../../shared/model.ts';
import { type Call, type Command, JSON_OPTION, WORKSPACE_OPTION } from './command.ts';
import type { Door } from './door.ts';
import { findUpstream, workspaceOption } from './names.ts';
import { shownTime, table } from './terminal.ts';
import { visible } from './untrusted.ts';
import { SETTINGS_OPTIONS, settingsOf, setUpstream } from './upstream-settings.ts';
import { listOption } from './values.ts';

const add: Command = {
  words: ['upstreams', 'add'],
  summary: 'add an MCP server: a command after --, or --url',
  takes: ['name'],
  rest: '<command> <args…>',
  options: {
    url: { type: 'string', value: 'U', help: 'the address of a Streamable HTTP or SSE server' },
    tag: { type: 'string', value: 'T', help: 'a tag, for rules and scope tags', multiple: true },
    env: {
      type: 'string',
      value: 'NAME',
      help: 'an environment entry; its value is asked, never typed here',
      multiple: true,
    },
    header: {
      type: 'string',
      value: 'NAME',
      help: 'an HTTP header; its value is asked, never typed here',
      multiple: true,
    },
    cwd: { type: 'string', value: 'DIR', help: 'the folder the command runs in' },
    ...SETTINGS_OPTIONS,
    ...WORKSPACE_OPTION,
    ...JSON_OPTION,
  },
  async run(call) {
    const transport = transportOf(call);
    if (typeof transport === 'string') {
      call.terminal.say(`gatehouse: ${transport}`);
      return 1;
    }
    const settings = settingsOf(call);
    if (typeof settings === 'string') {
      call.terminal.say(`gatehouse: ${settings}`);
      return 1;
    }
    const door = await call.door();
    if (!door) return 1;
    const workspace = await workspaceOption(call, door);
    if (workspace === null) return 1;
    const secrets = await askSecrets(call, [...call.texts('env'), ...call.texts('header')]);
    if (!secrets) return 1;
    const name = call.words[0] ?? '';
    const added = await door.ask('upstreamAdd', {
      workspace,
      name,
      transport,
      tags: listOption(call, 'tag') ?? [],
      secrets,
      ...settings,
    });
    if (!added) return 1;
    const upstream = door.running ? await settled(door, added.upstream) : added.upstream;
    if (call.flag('json')) call.terminal.print(JSON.stringify(upstream));
    call.terminal.say(outcomeOf(upstream, door.running));
    return door.running && upstream.status === 'failed' && !upstream.needsSignIn ? 1 : 0;
  },
};

/** How long `add` waits to see whether the upstream runs. Milliseconds. */
const SETTLES_MS = 3_000;
const LOOK_MS = 100;

/** The upstream once it runs or has failed, else as it is after a while: most wrong commands show at once. */
async function settled(door: Door, added: UpstreamView): Promise<UpstreamView> {
  let latest = added;
  for (let waited = 0; latest.status === 'starting' && waited < SETTLES_MS; waited += LOOK_MS) {
    await new Promise((done) => setTimeout(done, LOOK_MS));
    latest = (await door.ask('upstreamsList', {}))?.find(({ id }) => id === added.id) ?? latest;
  }
  return latest;
}

function outcomeOf({ name, status, reason, lastStderr, needsSignIn }: UpstreamView, running: boolean): string {
  if (!running)
    return `The upstream ${name} is added. It starts with Gatehouse, and its tools then wait for your review.`;
  if (needsSignIn)
    return `The upstream ${name} is added. It needs an account; to connect one: gatehouse upstreams connect ${name}`;
  if (status === 'failed') {
    const log = lastStderr.length === 0 ? '' : ` To read them: gatehouse upstreams logs ${name}`;
    return `gatehouse: The upstream ${name} is added, but it does not run: ${visible(reason ?? 'no reason is known.')}${log}`;
  }
  const how = status === 'ready' ? 'runs' : 'starting';
  return `The upstream ${name} is added and ${how}. Its tools wait for your review: gatehouse upstreams review ${name}`;
}

/** What the options describe, or what is wrong with them in a sentence. */
function transportOf(call: Call): RequestInput<'upstreamAdd'>['transport'] | string {
  const url = call.text('url');
  const [command, ...args] = call.rest ?? [];
  if (url !== null && command !== undefined) return 'Give either --url or a command after --, not both.';
  for (const name of [...call.texts('env'), ...call.texts('header')]) {
    if (/[=:]/.test(name)) {
      const bare = visible(name.split(/[=:]/)[0] ?? '');
      return `Give only the name, '${bare}': a value on the command line can be read by every program. It is asked next.`;
    }
  }
  if (url !== null) {
    if (!/^https?:$/.test(URL.canParse(url) ? new URL(url).protocol : '')) {
      return `--url is '${visible(url)}'; it must be a whole address that begins with http:// or https://.`;
    }
    if (call.texts('env').length > 0) return '--env is for a command; an address takes --header.';
    const header = call.texts('header').find((each) => !/^[A-Za-z0-9-]+$/.test(each));
    if (header !== undefined) return `'${visible(header)}' is no name of a header; use letters, digits and -.`;
    return { kind: 'http', url, secretHeaders: [...call.texts('header')] };
  }
  if (command === undefined) {
    return 'An upstream needs a command or an address: gatehouse upstreams add <name> -- npx -y some-server, or --url.';
  }
  if (call.texts('header').length > 0) return '--header is for an address; a command takes --env.';
  const entry = call.texts('env').find((each) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(each));
  if (entry !== undefined) {
    return `'${visible(entry)}' is no name of an environment entry; use letters, digits and _, not a digit first.`;
  }
  const cwd = call.text('cwd');
  return {
    kind: 'stdio',
    // Gatehouse runs somewhere else; what is relative here must not mean another program there.
    command: /^\.{1,2}[/\\]/.test(command) ? resolve(call.cwd, command) : command,
    args,
    secretEnv: [...call.texts('env')],
    cwd: cwd === null ? null : resolve(call.cwd, cwd),
  };
}

/** Asks each value without showing it; null when one was not given, and that was said. */
async function askSecrets(call: Call, names: readonly string[]): Promise<Record<string, string> | null> {
  const secrets: Record<string, string> = {};
  for (const name of names) {
    const value = await call.terminal.askSecret(`${visible(name)} (not shown): `);
    if (value === null || value === '') {
      const how = call.terminal.interactive ? '' : ' Write it on stdin, one line for each name, in their order.';
      call.terminal.say(`gatehouse: No value was given for ${visible(name)}; nothing was added.${how}`);
      return null;
    }
    secrets[name] = value;
  }
  return secrets;
}

const list: Command = {
  words: ['upstreams', 'list'],
  summary: 'list the upstreams, their state and why',
  options: { ...WORKSPACE_OPTION, ...JSON_OPTION },
  async run(call) {
    const door = await call.door();
    if (!door) return 1;
    const workspace = await workspaceOption(call, door);
    if (workspace === null) return 1;
    const upstreams = await door.ask('upstreamsList', { workspace });
    if (!upstreams) return 1;
    if (call.flag('json')) {
      call.terminal.print(JSON.stringify(upstreams));
      return 0;
    }
    const rows = upstreams.map((upstream) => [
      upstream.name,
      upstream.status,
      String(upstream.toolCount),
      upstream.awaitingReview === 0 ? '-' : String(upstream.awaitingReview),
      upstream.tags.join(',') || '-',
      endpointOf(upstream.transport),
      upstream.reason ?? '',
    ]);
    for (const line of table(['UPSTREAM', 'STATUS', 'TOOLS', 'TO REVIEW', 'TAGS', 'RUNS', 'WHY'], rows)) {
      call.terminal.print(line);
    }
    return 0;
  },
};

function endpointOf(transport: UpstreamTransport): string {
  if (transport.kind === 'stdio') return [transport.command, ...transport.args].join(' ');
  return transport.kind === 'http' ? transport.url : 'built in';
}

/** A command that does one thing to one upstream. */
function act(
  word: string,
  summary: string,
  done: (name: string) => string,
  request: (door: Door, id: string) => Promise<object | null>,
): Command {
  return {
    words: ['upstreams', word],
    summary,
    takes: ['name'],
    options: WORKSPACE_OPTION,
    async run(call) {
      const door = await call.door();
      const upstream = door && (await findUpstream(call, door, call.words[0] ?? ''));
      if (!upstream || !(await request(door, upstream.id))) return 1;
      call.terminal.say(done(upstream.name));
      return 0;
    },
  };
}

const refresh: Command = {
  words: ['upstreams', 'refresh'],
  summary: 'list the tools of an upstream again; starts one that failed',
  takes: ['name'],
  options: WORKSPACE_OPTION,
  async run(call) {
    const door = await call.door();
    const upstream = door && (await findUpstream(call, door, call.words[0] ?? ''));
    if (!upstream) return 1;
    if (!door.running) {
      call.terminal.say('gatehouse: Gatehouse is not running, so no upstream is; start it with npm start.');
      return 1;
    }
    const refreshed = await door.ask('upstreamRefresh', { upstream: upstream.id });
    if (!refreshed) return 1;
    const { status, reason, toolCount, awaitingReview } = refreshed.upstream;
    const why = reason === null ? '' : ` (${visible(reason)})`;
    call.terminal.say(`${upstream.name} is ${status}${why}: ${toolCount} tools, ${awaitingReview} to review.`);
    return status === 'failed' ? 1 : 0;
  },
};

const restart: Command = {
  words: ['upstreams', 'restart'],
  summary: 'stop whatever runs of an upstream and start it anew',
  takes: ['name'],
  options: WORKSPACE_OPTION,
  async run(call) {
    const door = await call.door();
    const upstream = door && (await findUpstream(call, door, call.words[0] ?? ''));
    if (!upstream) return 1;
    if (!door.running) {
      call.terminal.say('gatehouse: Gatehouse is not running, so no upstream is; start it with npm start.');
      return 1;
    }
    const restarted = await door.ask('upstreamRestart', { upstream: upstream.id });
    if (!restarted) return 1;
    const { status, reason } = restarted.upstream;
    call.terminal.say(`${upstream.name} is ${status}${reason === null ? '' : ` (${visible(reason)})`}.`);
    return status === 'failed' ? 1 : 0;
  },
};

const logs: Command = {
  words: ['upstreams', 'logs'],
  summary: 'show what the process of an upstream wrote to stderr',
  takes: ['name'],
  options: { follow: { type: 'boolean', short: 'f', help: 'go on until Ctrl-C' }, ...WORKSPACE_OPTION },
  async run(call) {
    const door = await call.door();
    const upstream = door && (await findUpstream(call, door, call.words[0] ?? ''));
    if (!upstream) return 1;
    let shown: readonly string[] = [];
    let over = false;
    void door.gone.then(() => {
      over = true;
    });
    do {
      const answer = await door.ask('upstreamLogs', { upstream: upstream.id });
      if (!answer) return 1;
      for (const line of newLines(shown, answer.lines)) call.terminal.print(visible(line));
      shown = answer.lines;
      if (call.flag('follow') && door.running) await new Promise((done) => setTimeout(done, 500));
    } while (call.flag('follow') && door.running && !over);
    if (shown.length === 0)
      call.terminal.say(`${upstream.name} has written nothing to stderr since ${shownTime(upstream.since)}.`);
    return 0;
  },
};

/** What came after `before` in a buffer of the last lines: the longest end of `before` that `now` begins with is old. */
export function newLines(before: readonly string[], now: readonly string[]): readonly string[] {
  for (let from = 0; from < before.length; from++) {
    const kept = before.slice(from);
    if (kept.length <= now.length && kept.every((line, index) => line === now[index])) return now.slice(kept.length);
  }
  return now;
}

const confirm: Command = {
  words: ['upstreams', 'confirm'],
  summary: 'confirm an upstream that was changed on disk, as it is now',
  takes: ['name'],
  options: WORKSPACE_OPTION,
  async run(call) {
    const door = await call.door();
    const upstream = door && (await findUpstream(call, door, call.words[0] ?? ''));
    if (!upstream) return 1;
    for (const { label, confirmed, now } of upstream.toConfirm ?? []) {
      if (confirmed === now) call.terminal.say(`  ${label}: ${visible(now ?? '')}`);
      if (confirmed !== now && confirmed !== null) call.terminal.say(`- ${label}: ${visible(confirmed)}`);
      if (confirmed !== now && now !== null) call.terminal.say(`+ ${label}: ${visible(now)}`);
    }
    if (!(await door.ask('upstreamConfirm', { upstream: upstream.id }))) return 1;
    call.terminal.say(`The upstream ${upstream.name} is confirmed as it is now.`);
    return 0;
  },
};

export const upstreamCommands: readonly Command[] = [
  add,
  setUpstream,
  list,
  act(
    'remove',
    'remove an upstream, its tools and its secrets',
    (name) => `The upstream ${name} is removed.`,
    (door, upstream) => door.ask('upstreamRemove', { upstream }),
  ),
  act(
    'enable',
    'let an upstream run again',
    (name) => `The upstream ${name} is enabled.`,
    (door, upstream) => door.ask('upstreamEnable', { upstream }),
  ),
  act(
    'disable',
    'stop an upstream and keep it stopped',
    (name) => `The upstream ${name} is disabled.`,
    (door, upstream) => door.ask('upstreamDisable', { upstream }),
  ),
  confirm,
  refresh,
  restart,
  logs,
];
