import { expect, test } from 'vitest';
import { startGatehouse } from '../support/gatehouse.ts';

test('a search is of one workspace: the one that is named, else Personal', async () => {
  await using gatehouse = await startGatehouse();
  await gatehouse.ask('workspaceCreate', { name: 'Work' });
  await gatehouse.recorder('here', { risk: 'read', args: ['--tools=look_at_home'] });
  await gatehouse.recorder('there', { risk: 'write', args: ['--tools=look_at_work'], workspace: 'work' });
  const found = async (workspace?: string) => {
    const answer = await gatehouse.ask('toolsFind', {
      query: 'look at',
      ...(workspace === undefined ? {} : { workspace }),
    });
    return answer.found
      .map(({ tool, decision }) => [tool.upstream, tool.name, decision.effect])
      .filter(([upstream]) => upstream !== 'demo');
  };
  expect(await found()).toEqual([['here', 'look_at_home', 'allow']]);
  expect(await found('work')).toEqual([['there', 'look_at_work', 'require_approval']]);
  expect(await gatehouse.ask('toolsFind', { query: 'look', workspace: 'wrok' })).toEqual({
    found: [],
    notes: ['There is no workspace "wrok". There are: Personal, Work.'],
  });
});
