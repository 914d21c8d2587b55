import type { TrustMinutes, TrustView } from '../../shared/model.ts';
import { type Command, JSON_OPTION, WORKSPACE_OPTION } from './command.ts';
import { findClient } from './names.ts';
import { shownTime, type Terminal } from './terminal.ts';
import { visible } from './untrusted.ts';

const start: Command = {
  words: ['trust', 'start'],
  summary: 'allow everything from a client for some minutes, except what is destructive or denied; you confirm it',
  takes: ['client'],
  options: {
    minutes: { type: 'string', value: 'N', help: '5, 15 or 60; else 15' },
    ...WORKSPACE_OPTION,
    ...JSON_OPTION,
  },
  async run(call) {
    const { terminal } = call;
    const minutes = minutesOf(call.text('minutes') ?? '15');
    if (minutes === null) {
      terminal.say('gatehouse: --minutes is 5, 15 or 60.');
      return 1;
    }
    const door = await call.door();
    const client = door && (await findClient(call, door, call.words[0] ?? ''));
    if (!door || !client) return 1;
    const done = await door.ask('trustStart', { client: client.id, minutes });
    if (!done) return 1;
    if (call.flag('json')) terminal.print(JSON.stringify(done.trust));
    else
      terminal.say(
        `Everything from ${visible(client.name)} runs unasked until ${shownTime(done.trust.expiresAt)}. To end it: gatehouse trust end '${visible(client.name)}'`,
      );
    return 0;
  },
};

const end: Command = {
  words: ['trust', 'end'],
  summary: 'end the trust in a client, or in all of them',
  takes: ['client?'],
  options: WORKSPACE_OPTION,
  async run(call) {
    const name = call.words[0];
    const door = await call.door();
    const client = name === undefined ? undefined : door && (await findClient(call, door, name));
    const status = client === null ? null : await door?.ask('status', {});
    if (!door || !status) return 1;
    const ending = status.trusts.filter(({ clientId }) => client === undefined || clientId === client?.id);
    for (const { id } of ending) if (!(await door.ask('trustEnd', { trust: id }))) return 1;
    for (const trust of ending) call.terminal.say(`The trust in ${visible(trust.client)} is over.`);
    if (ending.length === 0) call.terminal.say('There is no trust to end.');
    return 0;
  },
};

/** Everything that runs unasked now, one line each. */
export function printTrusts(trusts: readonly TrustView[], terminal: Terminal): void {
  for (const { client, by, expiresAt, usedCount } of trusts) {
    const used = `used ${usedCount} ${usedCount === 1 ? 'time' : 'times'}`;
    terminal.print(
      `! trusted: everything from ${visible(client)} until ${shownTime(expiresAt)}, by ${visible(by)}, ${used}`,
    );
  }
}

function minutesOf(text: string): TrustMinutes | null {
  return ([5, 15, 60] as const).find((one) => String(one) === text) ?? null;
}

export const trustCommands: readonly Command[] = [start, end];
