import { expect, test } from 'vitest';
import { type Answer, startGatehouse, type TestGatehouse } from '../../support/gatehouse.ts';

const ENDPOINT = '/u/up/mcp';

async function withHeaderTool(): Promise<
  AsyncDisposable & {
    readonly calls: () => number;
    send(args: string, headers?: Readonly<Record<string, string>>, endpoint?: string): Promise<Answer>;
  }
> {
  const gatehouse: TestGatehouse = await startGatehouse();
  const recorder = await gatehouse.recorder('up', { args: ['--header-tool'], risk: 'read' });
  const { secret } = await gatehouse.key();
  return {
    calls: () => recorder.calls().length,
    send: (args, headers = {}, path = ENDPOINT) =>
      gatehouse.call(secret, path === ENDPOINT ? 'with_header' : 'up__with_header', args, { headers, path }),
    [Symbol.asyncDispose]: () => gatehouse.close(),
  };
}

const mismatch = (why: string) => ({
  status: 400,
  message: { error: { code: -32020, message: expect.stringContaining(why) } },
});
const runs = { status: 200, message: { result: { content: expect.anything() } } };

test('C3: a header that repeats an argument must agree with it, or the call does not run', async () => {
  await using it = await withHeaderTool();
  const args = '{"region":"eu","nested":{"n":7}}';
  expect(await it.send(args)).toMatchObject(mismatch('Mcp-Param-Region is missing'));
  expect(await it.send(args, { 'mcp-param-region': 'eu' })).toMatchObject(mismatch('Mcp-Param-Count is missing'));
  expect(await it.send(args, { 'mcp-param-region': 'us', 'mcp-param-count': '7' })).toMatchObject(
    mismatch('Mcp-Param-Region does not agree'),
  );
  expect(await it.send(args, { 'mcp-param-region': 'eu', 'mcp-param-count': '8' })).toMatchObject(
    mismatch('Mcp-Param-Count does not agree'),
  );
  expect(it.calls()).toBe(0);
  expect(await it.send(args, { 'mcp-param-region': 'eu', 'mcp-param-count': '7.0' })).toMatchObject(runs);
  expect(it.calls()).toBe(1);
});

test('the same holds for the tool under its exposed name', async () => {
  await using it = await withHeaderTool();
  expect(await it.send('{"region":"eu"}', {}, '/mcp')).toMatchObject(mismatch('Mcp-Param-Region is missing'));
  expect(await it.send('{"region":"eu"}', { 'mcp-param-region': 'eu' }, '/mcp')).toMatchObject(runs);
});

test('an argument that is not there needs no header, and one that is no argument is not looked at', async () => {
  await using it = await withHeaderTool();
  expect(await it.send('{}')).toMatchObject(runs);
  expect(await it.send('{"other":"x"}', { 'mcp-param-region': 'left over', 'mcp-param-other': 'y' })).toMatchObject(
    runs,
  );
});

test('base64 in a header is decoded strictly, and only between its two marks', async () => {
  await using it = await withHeaderTool();
  const region = (value: string, header: string) =>
    it.send(JSON.stringify({ region: value }), { 'mcp-param-region': header });
  expect(await region('Hello', '=?base64?SGVsbG8=?=')).toMatchObject(runs);
  expect(await region('São Paulo', '=?base64?U8OjbyBQYXVsbw==?=')).toMatchObject(runs);
  expect(await region('', '=?base64??=')).toMatchObject(runs);
  expect(await region('SGVsbG8=', 'SGVsbG8=')).toMatchObject(runs);
  expect(await region('=?base64?SGVsbG8=', '=?base64?SGVsbG8=')).toMatchObject(runs);
  for (const broken of ['=?base64?SGVsbG8?=', '=?base64?SGVs!!!bG8=?=', '=?base64?/w==?='])
    expect(await region('Hello', broken)).toMatchObject(mismatch('is not valid base64'));
});
