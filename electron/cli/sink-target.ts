import { resolve } from 'node:path';
import { parseSize } from '../../shared/amounts.ts';
import type { RequestInput } from '../../shared/api.ts';
import type { Call, Option } from './command.ts';
import { visible } from './untrusted.ts';

type Target = RequestInput<'sinkAdd'>['target'];

/** Options that say where a sink delivers to; exactly one of the first three. */
export const TARGET_OPTIONS = {
  otlp: { type: 'string', value: 'URL', help: 'an OpenTelemetry collector: http://127.0.0.1:4318' },
  postgres: { type: 'string', value: 'URL', help: 'a PostgreSQL server: postgres://user@host:5432/database' },
  jsonl: { type: 'string', value: 'FILE', help: 'a file that JSON lines are added to' },
  header: {
    type: 'string',
    value: 'NAME',
    help: 'with --otlp: an HTTP header; its value is asked, never typed here',
    multiple: true,
  },
  secret: { type: 'boolean', help: 'with --postgres: ask for the password' },
  table: { type: 'string', value: 'NAME', help: 'with --postgres: the table; else gatehouse_audit' },
  'max-size': {
    type: 'string',
    value: 'SIZE',
    help: 'with --jsonl: a file that has grown to this is set aside; else 100MB',
  },
  keep: { type: 'string', value: 'N', help: 'with --jsonl: so many files set aside are kept; else 10' },
} as const satisfies Readonly<Record<string, Option>>;

/** Which options belong to which kind of target. */
const BELONGS = { header: 'otlp', secret: 'postgres', table: 'postgres', 'max-size': 'jsonl', keep: 'jsonl' } as const;

export interface Wanted {
  readonly target: Target;
  /** Names of the values that are asked for. */
  readonly secrets: readonly string[];
}

/** What the options describe, or what is wrong with them in a sentence. */
export function targetOf(call: Call): Wanted | string {
  const given = (['otlp', 'postgres', 'jsonl'] as const).filter((kind) => call.text(kind) !== null);
  const [kind] = given;
  if (kind === undefined || given.length > 1) return 'Give one of --otlp, --postgres and --jsonl.';
  for (const [option, owner] of Object.entries(BELONGS)) {
    const isGiven = call.flag(option) || call.texts(option).length > 0;
    if (isGiven && owner !== kind) return `--${option} goes with --${owner}.`;
  }
  const value = call.text(kind) ?? '';
  switch (kind) {
    case 'otlp':
      return otlpTarget(value, call.texts('header'));
    case 'postgres':
      return postgresTarget(value, call);
    case 'jsonl':
      return jsonlTarget(value, call);
  }
}

function otlpTarget(url: string, headers: readonly string[]): Wanted | string {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    return `--otlp is '${visible(url)}'; it must be a whole address that begins with http:// or https://.`;
  }
  const bad = headers.find((name) => !/^[A-Za-z0-9-]+$/.test(name));
  if (bad !== undefined) {
    const bare = visible(bad.split(/[=:]/)[0] ?? '');
    return `Give only the name of the header, '${bare}': a value on the command line can be read by every program. It is asked next.`;
  }
  return { target: { kind: 'otlp', url, secretHeaders: [...headers] }, secrets: headers };
}

/** A connection string of libpq (https://www.postgresql.org/docs/current/libpq-connect.html), without a password. */
function postgresTarget(text: string, call: Call): Wanted | string {
  // A socket has no host before the slash, which no URL may lack.
  const whole = /^postgres(ql)?:\/\/([^@/?]*@)?[/?:]/.test(text)
    ? text.replace(/:\/\/([^@/?]*@)?/, '://$1socket.invalid')
    : text;
  if (!/^postgres(ql)?:$/.test(URL.canParse(whole) ? new URL(whole).protocol : '')) {
    return '--postgres must be an address such as postgres://user@host:5432/database.';
  }
  const url = new URL(whole);
  if (url.password !== '' || url.searchParams.has('password')) {
    return 'The address holds a password, which every program can read on the command line. Leave it out and give --secret; it is asked next.';
  }
  const known = ['host', 'sslmode', 'sslrootcert'];
  const unknown = [...url.searchParams.keys()].find((name) => !known.includes(name));
  if (unknown !== undefined)
    return `--postgres has '${visible(unknown)}' after the ?, which is not known here: ${known.join(', ')}.`;
  const database = decodeURIComponent(url.pathname.slice(1));
  const user = decodeURIComponent(url.username);
  if (database === '' || user === '')
    return '--postgres needs the user and the database: postgres://user@host/database.';
  const name = url.searchParams.get('host') ?? url.hostname.replace(/^\[|\]$/g, '');
  if (name === '' || name === 'socket.invalid') return '--postgres needs a host, or ?host=/folder/of/the/socket.';
  const isHere = name.startsWith('/') || name === 'localhost' || name === '::1' || name.startsWith('127.');
  const mode = url.searchParams.get('sslmode') ?? (isHere ? 'disable' : 'verify-full');
  if (mode !== 'disable' && mode !== 'verify-full') {
    return `sslmode is '${visible(mode)}'; use verify-full (encrypted, the certificate is checked) or disable (this machine only).`;
  }
  const caFile = url.searchParams.get('sslrootcert');
  const table = call.text('table');
  const password = call.flag('secret');
  return {
    target: {
      kind: 'postgres',
      host: name,
      ...(url.port === '' ? {} : { port: Number(url.port) }),
      database,
      user,
      tls: mode === 'disable' ? 'off' : 'verify',
      caFile: caFile === null ? null : resolve(call.cwd, caFile),
      password,
      ...(table === null ? {} : { table }),
    },
    secrets: password ? ['password'] : [],
  };
}

function jsonlTarget(path: string, call: Call): Wanted | string {
  const size = call.text('max-size');
  const maxBytes = size === null ? undefined : parseSize(size);
  if (maxBytes === null) return `--max-size is '${visible(size ?? '')}'; give it as 512KB, 100MB or bytes.`;
  const keep = call.text('keep');
  if (keep !== null && !/^\d{1,4}$/.test(keep)) return `--keep is '${visible(keep)}'; it must be a number.`;
  return {
    target: {
      kind: 'jsonl',
      path: resolve(call.cwd, path),
      ...(maxBytes === undefined ? {} : { maxBytes }),
      ...(keep === null ? {} : { keep: Number(keep) }),
    },
    secrets: [],
  };
}
