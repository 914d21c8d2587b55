import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startHeadless } from '../support/headless.ts';

const OPEN_UMASK = ['/bin/sh', '-c', 'umask 000; exec "$@"', 'sh'];
const find = (folder: string, ...words: readonly string[]) =>
  execFileSync('find', [folder, ...words], { encoding: 'utf8' })
    .split('\n')
    .filter(Boolean)
    .toSorted();

test('L19: under umask 000 nothing in the data folder of a running Gatehouse can be read by others, the socket included', async () => {
  await using gatehouse = await startHeadless({ before: OPEN_UMASK });
  expect(execFileSync('grep', ['Umask', `/proc/${gatehouse.pid}/status`], { encoding: 'utf8' })).toContain('0000');
  // Every kind of file that Gatehouse makes: a secret, a call, an export, what the command line writes.
  await gatehouse.add('secretive', { args: ['-e', ''], secrets: { TOKEN: 'x' } });
  const key = await gatehouse.key('caller');
  await gatehouse.call(key, 'demo__list_notes');
  expect((await gatehouse.cli(['audit', 'export'])).code).toBe(0);
  expect((await gatehouse.cli(['keys', 'list'])).code).toBe(0);

  expect(find(gatehouse.folder, '-perm', '/077')).toEqual([]);
  expect(find(join(gatehouse.base, 'master-key'), '-perm', '/077')).toEqual([]);
  const there = find(gatehouse.folder, '-printf', '%y %m %P\n');
  expect(there).toEqual(
    expect.arrayContaining([
      'd 700 ',
      'd 700 exports',
      'd 700 logs',
      'f 600 audit-signing-key',
      'f 600 audit.db',
      'f 600 audit.db-shm',
      'f 600 audit.db-wal',
      'f 600 instance.lock',
      'f 600 instance.pid',
      'f 600 logs/gatehouse.log',
      'f 600 state.db',
      'f 600 state.db-shm',
      'f 600 state.db-wal',
      's 600 control.sock',
    ]),
  );
  expect(there.filter((line) => line.startsWith('f 600 exports/'))).toHaveLength(1);

  await gatehouse.stop();
  expect(find(gatehouse.folder, '-perm', '/077')).toEqual([]);
});

test('L19: the socket of a data folder with a long path lies in a folder that only its owner may enter', async () => {
  await using gatehouse = await startHeadless({ before: OPEN_UMASK });
  const long = join(gatehouse.base, 'x'.repeat(60), 'y'.repeat(60), 'data');
  await using far = await startHeadless({ before: OPEN_UMASK, base: gatehouse.base, folder: long });
  expect((await far.cli(['status'])).stdout).toContain('is running');
  expect(find(long, '-perm', '/077')).toEqual([]);
  const sockets = find(gatehouse.base, '-type', 's', '-printf', '%m %h\n').filter((line) => !line.endsWith('/data'));
  expect(sockets).toHaveLength(1);
  const [mode, folder = ''] = sockets[0]?.split(' ') ?? [];
  expect([mode, ...find(folder, '-perm', '/077')]).toEqual(['600']);
  await far.stop();
  expect(find(gatehouse.base, '-path', folder)).toEqual([]);
});
