import { readFileSync, statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { eventually, startGatehouse } from '../support/gatehouse.ts';

/** RFC 4180, as any other program reads it. */
function parseCsv(text: string): readonly (readonly string[])[] {
  const rows: string[][] = [[]];
  for (let at = 0; at < text.length; ) {
    let cell = '';
    if (text[at] === '"') {
      for (at += 1; ; at += 1) {
        if (text[at] === '"' && text[at + 1] === '"') at += 1;
        else if (text[at] === '"') break;
        cell += text[at];
      }
      at += 1;
    } else {
      const end = /[,\r\n]|$/.exec(text.slice(at))?.index ?? 0;
      cell = text.slice(at, at + end);
      at += end;
    }
    rows.at(-1)?.push(cell);
    if (text[at] === ',') at += 1;
    else if (text.startsWith('\r\n', at)) {
      at += 2;
      if (at < text.length) rows.push([]);
    } else if (at < text.length) throw new Error(`not RFC 4180 at ${at}: ${text.slice(at, at + 20)}`);
  }
  return rows;
}

const DANGEROUS = ['=HYPERLINK("http://evil","x")', "+1+cmd|' /C calc'!A0", '-2+3', '@SUM(1)', '\tlead', '\rlead'];

test('O18 a CSV is one line per record, and no cell of it is a formula, whatever stands in names, reasons and arguments', async () => {
  await using gatehouse = await startGatehouse();
  const { secret } = await gatehouse.key({ name: '=HYPERLINK("http://evil")' });
  await gatehouse.recorder('box');
  await gatehouse.ask('policyImport', {
    yaml: `defaultEffect: allow\nrules:\n  - { name: "+cmd, \\"quoted\\"", effect: deny, reason: "a\\nb", match: { tool: fail } }\n`,
  });
  for (const text of DANGEROUS) await gatehouse.call(secret, 'box__echo', JSON.stringify({ text }));
  await gatehouse.call(secret, 'box__fail', '{"text":"line one\\nline \\"two\\", and = three"}');
  for (const name of ['=1+1', '@evil']) await gatehouse.call(secret, name);
  await eventually(async () => {
    const { records } = await gatehouse.ask('auditList', { kind: 'tool_call', limit: 500 });
    return records.length === 9 && records.every(({ outcome }) => outcome !== null) ? true : null;
  }, 'nine calls');

  const { path, entries } = await gatehouse.ask('auditExport', { as: 'csv' });
  const text = readFileSync(path, 'utf8');
  expect((statSync(path).mode & 0o777).toString(8)).toBe('600');
  const [head = [], ...rows] = parseCsv(text);
  const column = (name: string) => head.indexOf(name);
  expect(rows.every((row) => row.length === head.length)).toBe(true);
  const { records } = await gatehouse.ask('auditList', { limit: 500 });
  // The export itself is recorded after it was written.
  expect(rows).toHaveLength(records.length - 1);
  expect(text.split('\r\n')).toHaveLength(rows.length + 2);
  expect(text.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
  expect(entries).toBeGreaterThanOrEqual(rows.length);
  for (const cell of rows.flat()) if (!/^-?\d+$/.test(cell)) expect(cell).not.toMatch(/^[=+\-@\t\r]/);
  const calls = rows.filter((row) => row[column('kind')] === 'tool_call');
  expect(calls[0]?.[column('client')]).toBe('\'=HYPERLINK("http://evil")');
  const denied = calls.find((row) => row[column('errorClass')] === 'policy_denied');
  expect(denied?.[column('rule')]).toBe('\'+cmd, "quoted"');
  expect(denied?.[column('arguments')]).toBe('{"text":"line one\\nline \\"two\\", and = three"}');
  const sent = calls.map((row) => row[column('arguments')]);
  for (const dangerous of DANGEROUS) expect(sent).toContain(JSON.stringify({ text: dangerous }));
});

test('O18 chosen records as JSON lines: the header names the choice, every line is one record', async () => {
  await using gatehouse = await startGatehouse();
  const { secret } = await gatehouse.key({ name: 'agent' });
  await gatehouse.recorder('box', { risk: 'read' });
  for (let n = 0; n < 3; n += 1) await gatehouse.call(secret, 'box__echo', `{"text":"a${n}\\u2028\\n"}`);
  await gatehouse.call(secret, 'box__fail');
  const { path } = await gatehouse.ask('auditExport', { as: 'jsonl', tool: 'echo', text: 'a1' });
  const [header, ...lines] = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(header).toMatchObject({
    type: 'header',
    format: 'gatehouse-audit-records',
    query: { tool: 'echo', text: 'a1' },
  });
  expect(lines.map((line) => [line.type, line.tool])).toEqual([['record', 'echo']]);
  expect(lines[0].entries[0].detail.arguments).toBe('{"text":"a1\\u2028\\n"}');
  const events = (await gatehouse.audit()).filter(({ kind }) => kind === 'audit_exported');
  expect(events.map(({ detail }) => detail)).toEqual([
    expect.objectContaining({ as: 'jsonl', query: { tool: 'echo', text: 'a1' }, by: 'dashboard' }),
  ]);
});
