import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { API } from '../../shared/api.ts';
import { aSink } from '../support/sink-view.ts';
import { type AppDouble, run, startAppDouble } from './control-double.ts';

let app: AppDouble;
beforeEach(async () => {
  app = await startAppDouble();
});
afterEach(() => app.close());

const POSTGRES = {
  kind: 'postgres',
  port: 5432,
  database: 'audit',
  user: 'me',
  table: 'gatehouse_audit',
  caFile: null,
  password: false,
};

describe('audit sinks add', () => {
  test.each<[string, readonly string[], object]>([
    [
      'a collector',
      ['--otlp', 'http://127.0.0.1:4318', '--from', 'now'],
      { target: { kind: 'otlp', url: 'http://127.0.0.1:4318', secretHeaders: [] }, from: 'now' },
    ],
    [
      'PostgreSQL elsewhere, with TLS unless it is said otherwise',
      ['--postgres', 'postgres://me@db.example/audit'],
      { target: { ...POSTGRES, host: 'db.example', tls: 'verify' }, from: 'start' },
    ],
    [
      'PostgreSQL with an authority of its own, relative to the folder of the command',
      ['--postgres', 'postgresql://me@db.example:6432/audit?sslrootcert=ca.pem', '--table', 'ops.calls'],
      {
        target: {
          ...POSTGRES,
          host: 'db.example',
          port: 6432,
          table: 'ops.calls',
          tls: 'verify',
          caFile: '/srv/work/ca.pem',
        },
      },
    ],
    [
      'PostgreSQL on this machine',
      ['--postgres', 'postgres://me@[::1]:5433/audit'],
      { target: { ...POSTGRES, host: '::1', port: 5433, tls: 'off' } },
    ],
    [
      'PostgreSQL over a socket',
      ['--postgres', 'postgres://me@:5433/audit?host=/run/postgresql'],
      { target: { ...POSTGRES, host: '/run/postgresql', port: 5433, tls: 'off' } },
    ],
    [
      'a file, relative to the folder of the command',
      ['--jsonl', 'audit.jsonl', '--max-size', '20MB', '--keep', '3'],
      { target: { kind: 'jsonl', path: '/srv/work/audit.jsonl', maxBytes: 20 * 1024 * 1024, keep: 3 } },
    ],
  ])('%s', async (_what, options, expected) => {
    app.answers = { sinkAdd: { kind: 'done', sink: aSink() }, sinksList: [aSink()] };
    const { code, err } = await run(['audit', 'sinks', 'add', 'central', ...options], app);
    expect(err).toBe('The sink central is added. Delivered up to entry 12,345 of 12,345, 0 waiting.\n');
    expect(code).toBe(0);
    const [asked] = app.requests();
    expect(asked?.name).toBe('sinkAdd');
    expect(API.sinkAdd.parse(asked?.input)).toMatchObject({ name: 'central', secrets: {}, ...expected });
  });

  test('values are read from stdin, never from the command line', async () => {
    app.answers = { sinkAdd: { kind: 'done', sink: aSink() }, sinksList: [aSink()] };
    const words = ['audit', 'sinks', 'add', 'central', '--postgres', 'postgres://me@db.example/audit', '--secret'];
    expect(await run(words, { folder: app.folder, stdin: 'pass word: @/\n' })).toMatchObject({ code: 0 });
    expect(app.requests()[0]?.input).toMatchObject({
      target: { password: true },
      secrets: { password: 'pass word: @/' },
    });
    const none = await run(words, app);
    expect(none).toMatchObject({ code: 1, err: expect.stringContaining('No value was given for password') });
  });

  test.each<[readonly string[], string]>([
    [[], 'Give one of --otlp, --postgres and --jsonl.'],
    [['--otlp', 'http://a', '--jsonl', 'b'], 'Give one of --otlp, --postgres and --jsonl.'],
    [['--otlp', 'collector:4318'], 'must be a whole address that begins with http:// or https://'],
    [['--otlp', 'http://a', '--header', 'x-api-key=canary'], "Give only the name of the header, 'x-api-key'"],
    [['--otlp', 'http://a', '--table', 't'], '--table goes with --postgres.'],
    [['--postgres', 'postgres://me:canary@db/audit'], 'Leave it out and give --secret'],
    [['--postgres', 'postgres://me@db/audit?password=canary'], 'Leave it out and give --secret'],
    [['--postgres', 'postgres://me@db/audit?options=x'], "'options' after the ?, which is not known here"],
    [['--postgres', 'postgres://me@db/audit?sslmode=require'], 'use verify-full (encrypted'],
    [['--postgres', 'postgres://me@/audit'], 'needs a host'],
    [['--postgres', 'postgres://db/audit'], 'needs the user and the database'],
    [['--postgres', 'mysql://me@db/audit'], 'must be an address such as postgres://user@host:5432/database'],
    [['--jsonl', 'a', '--max-size', 'much'], 'give it as 512KB, 100MB or bytes'],
    [['--jsonl', 'a', '--from', 'yesterday'], 'use start or now'],
  ])('%j is refused with a sentence, and nothing is asked', async (options, sentence) => {
    const { code, err } = await run(['audit', 'sinks', 'add', 'central', ...options], app);
    expect(err).toContain(sentence);
    expect(err).not.toContain('canary');
    expect(code).toBe(1);
    expect(app.requests()).toEqual([]);
  });
});

test('the list says how far each is, and of one that fails since when, why, and when it is tried again', async () => {
  const at = new Date(2026, 10, 20, 14, 2, 3).getTime();
  const failing = {
    state: 'failing',
    reason: 'It is \u001b[31mdown.',
    failingSince: at,
    nextTryAt: at + 60_000,
  } as const;
  app.answers = {
    sinksList: [aSink(), aSink({ name: 'db', ...failing, deliveredSeq: 12_290, waiting: 55, missed: 7 })],
  };
  const { out, code } = await run(['audit', 'sinks', 'list'], app);
  expect(code).toBe(0);
  expect(out).toContain('Delivered up to entry 12,345 of 12,345, 0 waiting.');
  expect(out).toContain('Failing since 2026-11-20 14:02:03: It is \\u{1b}[31mdown.');
  expect(out).toContain('Delivered up to entry 12,290 of 12,345, 55 waiting. 7 never got there');
  expect(out).toContain('Next try 2026-11-20 14:03:03.');
});

describe('audit figures', () => {
  const exposure = {
    lists: 2,
    listedBytes: 6_000,
    wholeBytes: 246_000,
    finds: 3,
    foundBytes: 20_000,
    savedBytes: 220_000,
    savedTokensAbout: 55_000,
  };
  const calls = {
    calls: 1_234,
    decisions: { allow: 1_000, require_approval: 200, deny: 30, none: 4 },
    outcomes: [{ outcome: 'answered', calls: 1_200 }],
    approvals: [],
    waiting: { calls: 200, medianMs: 4_200, p95Ms: 61_000 },
    errorClasses: [{ errorClass: 'policy_denied', calls: 30 }],
    tools: [{ upstream: 'files', tool: 'read\u202e', calls: 900 }],
  };

  test('say what was counted, how long people took, and what was saved, with the estimate named as one', async () => {
    const group = { ...calls, exposure, clientId: 'c1', client: 'agent', day: null };
    app.answers = { auditFigures: { total: { ...calls, exposure }, groups: [group], behind: 0 } };
    const { out, code } = await run(['audit', 'figures', '--since', '24h'], app);
    expect(code).toBe(0);
    expect(out.split('\n').slice(0, 8)).toEqual([
      'calls      1,234',
      'decisions  allow 1,000, require_approval 200, deny 30, ended before 4',
      'outcomes   answered 1,200',
      'errors     policy_denied 30',
      'waiting    200 calls for a person: half within 4.2 s, 95 % within 61 s',
      'context    220,000 bytes less than listing every tool would have taken, about 55,000 tokens:',
      '           2 lists of 6,000 bytes in place of 246,000, and 3 searches of 20,000',
      '',
    ]);
    expect(out).toMatch(/CLIENT +CALLS +ALLOW +ASK +DENY +MEDIAN WAIT +P95 +TOKENS SAVED\nagent +1,234/);
    expect(out).toContain('files / read\\u{202e}');
    const input = app.requests()[0]?.input as { readonly from: number; readonly by: readonly string[] };
    expect(input.by).toEqual(['client']);
    expect(Math.abs(Date.now() - 86_400_000 - input.from)).toBeLessThan(10_000);
  });

  test.each([
    [['--since', 'lately'], 'give it as 24h, 7d or 4w'],
    [['--by', 'tool'], 'use client, day or client,day'],
  ])('%j is refused with a sentence', async (options, sentence) => {
    expect(await run(['audit', 'figures', ...options], app)).toMatchObject({
      code: 1,
      err: expect.stringContaining(sentence),
    });
    expect(app.requests()).toEqual([]);
  });
});
