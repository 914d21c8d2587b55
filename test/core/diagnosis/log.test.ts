import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { faultFields } from '../../../electron/core/diagnosis/fault.ts';
import { openLog } from '../../../electron/core/diagnosis/log.ts';
import { newCanary, sweep } from '../../support/canary.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { eventually, startGatehouse } from '../../support/gatehouse.ts';
import { openLegacySession } from '../../support/legacy-session.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-log-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const logs = () => join(folder, 'logs');
const linesOf = (file: string) =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('the log file', () => {
  test('every line is one JSON object with time, level and event; debug lines only when asked for', () => {
    const clock = fakeClock();
    const log = openLog({ folder, clock });
    log.debug('quiet');
    log.info('said', { requestId: 'r1', text: 'two\nlines' });
    log.close();
    expect(linesOf(log.path)).toEqual([
      { at: new Date(clock.now()).toISOString(), level: 'info', event: 'said', requestId: 'r1', text: 'two\nlines' },
    ]);
    const loud = openLog({ folder, clock, debug: true });
    loud.debug('loud');
    loud.close();
    expect(linesOf(loud.path).map(({ event }) => event)).toEqual(['said', 'loud']);
  });

  test('at its limit it is moved on, four old ones are kept, and no line is lost or cut between them', () => {
    const log = openLog({ folder, clock: fakeClock(), maxBytes: 1000 });
    for (let n = 0; n < 60; n += 1) log.info('line', { n });
    log.close();
    const files = readdirSync(logs()).sort();
    expect(files).toEqual([
      'gatehouse.1.log',
      'gatehouse.2.log',
      'gatehouse.3.log',
      'gatehouse.4.log',
      'gatehouse.log',
    ]);
    const oldestFirst = files.toSorted((a, b) => ageOf(b) - ageOf(a));
    const numbers = oldestFirst.flatMap((file) => linesOf(join(logs(), file)).map(({ n }) => Number(n)));
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, index) => 60 - numbers.length + index));
    for (const file of files) expect(statSync(join(logs(), file)).size).toBeLessThanOrEqual(1000);
  });

  test('belongs to its owner alone, moved on or not, also where a wider file lay before', () => {
    const umask = process.umask(0);
    try {
      openLog({ folder, clock: fakeClock() }).close();
      writeFileSync(join(logs(), 'gatehouse.log'), '', { mode: 0o666 });
      const log = openLog({ folder, clock: fakeClock(), maxBytes: 200 });
      for (let n = 0; n < 10; n += 1) log.info('line', { n });
      log.close();
    } finally {
      process.umask(umask);
    }
    for (const file of readdirSync(logs())) expect(statSync(join(logs(), file)).mode & 0o777, file).toBe(0o600);
    expect(statSync(logs()).mode & 0o777).toBe(0o700);
  });

  test('says of a bug what and where, never its words: they quote what was read', () => {
    let fault: unknown;
    try {
      JSON.parse('{"password": hunter2}');
    } catch (error) {
      fault = error;
    }
    expect(String(fault)).toContain('hunter2');
    const said = JSON.stringify(faultFields(fault));
    expect(said).not.toContain('hunter2');
    expect(said).toContain('SyntaxError');
    expect(said).toContain('log.test.ts');
    expect(faultFields('a thrown text')).toEqual({ fault: 'string' });
  });
});

test('nothing that a client or a server says gets into the log: arguments, results, keys, secrets, bad messages', async () => {
  await using gatehouse = await startGatehouse();
  const canary = newCanary('log');
  const { secret } = await gatehouse.key();
  const recorder = await gatehouse.recorder('rec', { risk: 'read' });
  await gatehouse.recorder('asks', { risk: 'write' });
  const given = JSON.stringify({ text: canary });

  const answered = await gatehouse.call(secret, 'rec__echo', given);
  expect(answered.text).toContain('canary-log');
  const session = await openLegacySession(gatehouse, secret, canary);
  await session.call('rec__echo', given);
  await gatehouse.call(secret, 'rec__echo', JSON.stringify({ text: 1, [canary]: canary }));
  await gatehouse.call(secret, canary.replaceAll(/[^\x20-\x7e]/g, ''), given);
  await gatehouse.call(secret, 'call_external_tool', JSON.stringify({ upstream: 'rec', tool: canary }));
  await gatehouse.post(secret, `{"jsonrpc":"2.0","id":1,"method":${given},"params":{}`);
  await gatehouse.post(secret, JSON.stringify({ jsonrpc: '2.0', id: 1, method: canary }));
  await gatehouse.post(`${secret}x`, given);
  await fetch(`${gatehouse.core.endpoint}?key=${encodeURIComponent(canary)}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${secret}` },
  });
  const waiting = gatehouse.call(secret, 'asks__echo', given);
  const card = await gatehouse.card();
  await gatehouse.ask('approvalDeny', { approval: card.id, reason: canary });
  await waiting;
  process.kill(Number(recorder.events()[0]?.pid), 'SIGKILL');
  await eventually(() => (read().includes('"to":"failed"') ? true : null), 'the failure in the log');
  await gatehouse.core.close();

  function read(): string {
    return readFileSync(join(gatehouse.folder, 'logs/gatehouse.log'), 'utf8');
  }
  const events = linesOf(join(gatehouse.folder, 'logs/gatehouse.log'));
  expect(
    events.filter(({ event }) => event === 'call_ended').map(({ outcome, errorClass }) => errorClass ?? outcome),
  ).toEqual(expect.arrayContaining(['answered', 'unknown_tool', 'approval_denied']));
  expect(events.filter(({ event }) => event === 'refused').map(({ kind }) => kind)).toEqual(
    expect.arrayContaining(['message_rejected', 'unauthorized', 'unsupported_media_type']),
  );
  expect(events.map(({ event }) => event)).toEqual(expect.arrayContaining(['started', 'stopped', 'upstream_state']));
  for (const { event, requestId } of events)
    if (event === 'call_ended' || event === 'refused') expect(requestId).toMatch(/^[A-Za-z0-9_-]{22}$/);
  for (const hidden of [canary, canary.slice(0, 24), secret, secret.slice(12)])
    expect(sweep(join(gatehouse.folder, 'logs'), hidden)).toEqual([]);
});

const ageOf = (file: string) => Number(/\.(\d)\./.exec(file)?.[1] ?? 0);
