import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { jsonLines, wholeLines } from './lines.ts';

test('a line that another process has written by half is not read before it ends', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-lines-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'record.jsonl');
  expect(wholeLines(file)).toEqual([]);
  appendFileSync(file, '{"n":1}\n\n{"n":2,"text":"half');
  expect(jsonLines(file)).toEqual([{ n: 1 }]);
  appendFileSync(file, ' and half"}\n');
  expect(jsonLines(file)).toEqual([{ n: 1 }, { n: 2, text: 'half and half' }]);
});
