import { type Command, JSON_OPTION } from './command.ts';
import { visible } from './untrusted.ts';

/** The way out when the key of the stored secrets is gone and no backup of it is to be had. */
export const secretsBeginAnew: Command = {
  words: ['secrets', 'begin-anew'],
  summary: 'when the key of the stored secrets is lost: forget them and go on with a new key; you confirm it',
  options: JSON_OPTION,
  async run(call) {
    const { terminal } = call;
    const door = await call.door();
    const done = await door?.ask('secretsBeginAnew', {});
    if (!done) return 1;
    if (call.flag('json')) {
      terminal.print(JSON.stringify({ lost: done.lost }));
      return 0;
    }
    terminal.say('Gatehouse has a new key for secrets. Enter these again, or sign in again:');
    for (const name of done.lost) terminal.say(`  ${visible(name)}`);
    return 0;
  },
};
