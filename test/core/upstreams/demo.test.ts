import { expect, test } from 'vitest';
import { demoRisks } from '../../../electron/core/upstreams/demo.ts';
import { rig, waitFor } from './rig.ts';

test('the demo upstream lists its tools, all of them with a risk, and is accepted as built in', async () => {
  const it = rig();
  const view = await it.addReady('demo', { kind: 'demo' });
  const names = it.inventory.tools(view.id).map((tool) => tool.name);
  expect(names.toSorted()).toEqual(Object.keys(demoRisks).toSorted());
  expect(it.inventory.accepted).toEqual([view.id]);
});

test('notes are written, read, listed and deleted', async () => {
  const it = rig();
  const { id } = await it.addReady('demo', { kind: 'demo' });
  await it.call(id, 'write_note', '{"title":"a","text":"b"}');
  expect(await it.call(id, 'read_note', '{"title":"a"}')).toMatchObject({
    result: { content: [{ type: 'text', text: 'b' }] },
  });
  expect(await it.call(id, 'list_notes')).toMatchObject({
    result: { structuredContent: { titles: ['welcome', 'shopping', 'a'] } },
  });
  await it.call(id, 'delete_all_notes');
  expect(await it.call(id, 'list_notes')).toMatchObject({ result: { structuredContent: { titles: [] } } });
  expect(await it.call(id, 'read_note', '{"title":"a"}')).toMatchObject({ result: { isError: true } });
  expect(await it.call(id, 'always_fails')).toMatchObject({ result: { isError: true } });
});

test('slow_count takes its time, reports progress and stops when the caller gives up', async () => {
  const it = rig();
  const { id } = await it.addReady('demo', { kind: 'demo' });
  const caller = new AbortController();
  const steps: number[] = [];
  const outcome = it.call(id, 'slow_count', '{"to":3}', {
    signal: caller.signal,
    onProgress(step) {
      steps.push(step.progress);
      if (step.progress === 2) caller.abort();
    },
  });
  expect(await outcome).toEqual({ kind: 'cancelled' });
  expect(steps).toEqual([1, 2]);
});

test('a changed definition is listed again and is not accepted as built in', async () => {
  const it = rig();
  const { id } = await it.addReady('demo', { kind: 'demo' });
  await it.call(id, 'change_my_definition');
  await waitFor(() => it.inventory.taken.length === 2, 'the second listing');
  expect(it.inventory.find(id, 'write_note')?.offered?.description).toContain('Changed on request');
  expect(it.inventory.accepted).toEqual([id]);
});
