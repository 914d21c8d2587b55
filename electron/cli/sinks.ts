import type { SinkTarget, SinkView } from '../../shared/model.ts';
import { type Call, type Command, JSON_OPTION } from './command.ts';
import type { Door } from './door.ts';
import { TARGET_OPTIONS, targetOf } from './sink-target.ts';
import { shownTime, table } from './terminal.ts';
import { visible } from './untrusted.ts';

const add: Command = {
  words: ['audit', 'sinks', 'add'],
  summary: 'deliver every entry to a collector, a PostgreSQL table or a file',
  takes: ['name'],
  options: {
    ...TARGET_OPTIONS,
    from: { type: 'string', value: 'start|now', help: 'start: everything there is, then what comes; else start' },
    ...JSON_OPTION,
  },
  async run(call) {
    const { terminal } = call;
    const wanted = targetOf(call);
    if (typeof wanted === 'string') {
      terminal.say(`gatehouse: ${wanted}`);
      return 1;
    }
    const from = call.text('from') ?? 'start';
    if (from !== 'start' && from !== 'now') {
      terminal.say(`gatehouse: --from is '${visible(from)}'; use start or now.`);
      return 1;
    }
    const door = await call.door();
    if (!door) return 1;
    const secrets = await askSecrets(call, wanted.secrets);
    if (!secrets) return 1;
    const added = await door.ask('sinkAdd', { name: call.words[0] ?? '', target: wanted.target, from, secrets });
    if (!added) return 1;
    const sink = door.running ? await settled(door, added.sink) : added.sink;
    if (call.flag('json')) terminal.print(JSON.stringify(sink));
    const now = door.running ? progressOf(sink) : 'Delivery begins when Gatehouse runs.';
    terminal.say(`The sink ${sink.name} is added. ${now}`);
    return sink.state === 'failing' ? 1 : 0;
  },
};

/** How long `add` waits to see whether it delivers. Milliseconds. */
const SETTLES_MS = 3_000;
const LOOK_MS = 100;

async function settled(door: Door, added: SinkView): Promise<SinkView> {
  let latest = added;
  const isOver = ({ state }: SinkView) => state === 'up_to_date' || state === 'failing';
  for (let waited = 0; !isOver(latest) && waited < SETTLES_MS; waited += LOOK_MS) {
    await new Promise((done) => setTimeout(done, LOOK_MS));
    latest = (await door.ask('sinksList', {}))?.find(({ id }) => id === added.id) ?? latest;
  }
  return latest;
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
  words: ['audit', 'sinks', 'list'],
  summary: 'list where the audit is delivered to, and how far each is',
  options: { follow: { type: 'boolean', short: 'f', help: 'go on until Ctrl-C' }, ...JSON_OPTION },
  async run(call) {
    const { terminal } = call;
    const door = await call.door();
    if (!door) return 1;
    let shown = '';
    const look = async (): Promise<boolean> => {
      const sinks = await door.ask('sinksList', {});
      if (!sinks) return false;
      const text = call.flag('json') ? JSON.stringify(sinks) : tableOf(sinks).join('\n');
      if (text !== shown) terminal.print(text);
      shown = text;
      if (sinks.length === 0 && !call.flag('json'))
        terminal.say('There is no sink. "gatehouse audit sinks add --help" says how to add one.');
      return true;
    };
    if (!(await look())) return 1;
    if (!call.flag('follow') || !door.running) return 0;
    let last: Promise<unknown> = Promise.resolve();
    door.subscribe((topic) => {
      if (topic === 'sinks') last = last.then(look);
    });
    await door.gone;
    terminal.say('Gatehouse was closed.');
    return 0;
  },
};

function tableOf(sinks: readonly SinkView[]): readonly string[] {
  if (sinks.length === 0) return [];
  const rows = sinks.map((sink) => [sink.name, sink.target.kind, placeOf(sink.target), progressOf(sink)]);
  return table(['SINK', 'KIND', 'TO', 'PROGRESS'], rows);
}

function placeOf(target: SinkTarget): string {
  switch (target.kind) {
    case 'otlp':
      return target.url;
    case 'postgres':
      return `${target.user}@${target.host}${target.host.startsWith('/') ? '' : `:${target.port}`}/${target.database} ${target.table}`;
    case 'jsonl':
      return target.path;
  }
}

/** `Delivered up to entry 12,345 of 12,400, 55 waiting.` and why it goes no further. */
function progressOf(sink: SinkView): string {
  const number = (value: number) => value.toLocaleString('en');
  const { deliveredSeq, headSeq, waiting, missed, state, reason, failingSince, nextTryAt } = sink;
  const missing = missed === 0 ? '' : ` ${number(missed)} never got there; the audit says which (sink_gap).`;
  const where = `Delivered up to entry ${number(deliveredSeq)} of ${number(headSeq)}, ${number(waiting)} waiting.${missing}`;
  switch (state) {
    case 'up_to_date':
    case 'delivering':
      return where;
    case 'paused':
      return `Paused. ${where}`;
    case 'stopped':
      return `Not running. ${where}`;
    case 'failing': {
      const since = failingSince === null ? '' : ` since ${shownTime(failingSince)}`;
      const next = nextTryAt === null ? '' : ` Next try ${shownTime(nextTryAt)}.`;
      return `Failing${since}: ${reason ?? 'no reason is known.'} ${where}${next}`;
    }
  }
}

const test: Command = {
  words: ['audit', 'sinks', 'test'],
  summary: 'reach a sink now and say what was found; nothing is delivered',
  takes: ['name'],
  async run(call) {
    const door = await call.door();
    const found = await door?.ask('sinkTest', { sink: call.words[0] ?? '' });
    if (!found) return 1;
    call.terminal.say(visible(found.message));
    return 0;
  },
};

const remove: Command = {
  words: ['audit', 'sinks', 'remove'],
  summary: 'stop delivering to a sink and forget its secrets; what it has stays there',
  takes: ['name'],
  async run(call) {
    const name = call.words[0] ?? '';
    const door = await call.door();
    if (!(await door?.ask('sinkRemove', { sink: name }))) return 1;
    call.terminal.say(`The sink ${visible(name)} is removed.`);
    return 0;
  },
};

function act(word: 'pause' | 'resume', summary: string, done: string): Command {
  return {
    words: ['audit', 'sinks', word],
    summary,
    takes: ['name'],
    async run(call) {
      const door = await call.door();
      const sink = { sink: call.words[0] ?? '' };
      const changed = await door?.ask(word === 'pause' ? 'sinkPause' : 'sinkResume', sink);
      if (!changed) return 1;
      call.terminal.say(`The sink ${changed.sink.name} ${done}`);
      return 0;
    },
  };
}

export const sinkCommands: readonly Command[] = [
  add,
  list,
  test,
  act('pause', 'stop delivering for a while; entries wait', 'is paused. Entries wait for it until it is resumed.'),
  act('resume', 'go on delivering where it stopped', 'goes on where it stopped.'),
  remove,
];
