import type { PauseView } from '../../shared/model.ts';
import { type Call, type Command, JSON_OPTION, WORKSPACE_OPTION } from './command.ts';
import type { Door } from './door.ts';
import { findClient } from './names.ts';
import { shownTime, type Terminal } from './terminal.ts';
import { visible } from './untrusted.ts';

const OPTIONS = {
  client: { type: 'string', value: 'NAME', help: 'only the calls of this client' },
  ...WORKSPACE_OPTION,
  ...JSON_OPTION,
} as const;

const pause: Command = {
  words: ['pause'],
  summary: 'refuse all calls, or those of one client, until you resume them',
  options: OPTIONS,
  async run(call) {
    const door = await call.door();
    const client = door && (await clientOption(call, door));
    if (!door || client === null) return 1;
    const done = await door.ask('callsPause', { client: client?.id });
    if (!done) return 1;
    const { terminal } = call;
    if (call.flag('json')) {
      terminal.print(JSON.stringify({ changed: done.changed, pauses: done.pauses }));
      return 0;
    }
    const what = client === undefined ? 'All calls are' : `The calls of ${visible(client.name)} are`;
    const resume = client === undefined ? 'gatehouse resume' : `gatehouse resume --client '${visible(client.name)}'`;
    terminal.say(`${what} ${done.changed ? '' : 'already '}paused. To go on: ${resume}`);
    if (done.note !== null) terminal.say(`gatehouse: ${visible(done.note)}`);
    return 0;
  },
};

const resume: Command = {
  words: ['resume'],
  summary: 'let paused calls run again; you confirm it',
  options: OPTIONS,
  async run(call) {
    const door = await call.door();
    const client = door && (await clientOption(call, door));
    if (!door || client === null) return 1;
    const done = await door.ask('callsResume', { client: client?.id });
    if (!done) return 1;
    const { terminal } = call;
    if (call.flag('json')) {
      terminal.print(JSON.stringify({ changed: done.changed, pauses: done.pauses }));
      return 0;
    }
    const what = client === undefined ? 'Calls' : `The calls of ${visible(client.name)}`;
    terminal.say(done.changed ? `${what} are resumed.` : `${what} were not paused.`);
    printPauses(done.pauses, terminal);
    return 0;
  },
};

/** Everything that is paused, one line each. */
export function printPauses(pauses: readonly PauseView[], terminal: Terminal): void {
  for (const { client, by, since } of pauses) {
    const what = client === null ? 'all calls' : `the calls of ${visible(client)}`;
    terminal.print(`! paused: ${what}, since ${shownTime(since)}, by ${visible(by)}`);
  }
}

/** Undefined where none was named, null where there is no such client, and that was said. */
async function clientOption(call: Call, door: Door) {
  const name = call.text('client');
  return name === null ? undefined : findClient(call, door, name);
}

export const pauseCommands: readonly Command[] = [pause, resume];
