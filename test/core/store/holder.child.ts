/** Locks the folder it is given, says `locked` or `taken <pid>`, and stays until it is killed or hears a line. */
import { lockDataFolder } from '../../../electron/core/store/lock.ts';

const lock = lockDataFolder(process.argv[2] ?? '');
process.stdout.write(`${lock.kind}${lock.kind === 'taken' ? ` ${lock.pid}` : ''}\n`);
process.stdin.once('data', () => {
  if (lock.kind === 'locked') lock.release();
  process.exit(0);
});
