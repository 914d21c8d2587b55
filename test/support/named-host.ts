import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { type AddressInfo, isIP, type LookupFunction } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Environment } from '../../electron/core/upstreams/environment.ts';

export const hasOpenssl = existsSync('/usr/bin/openssl');

/** An https server by a name, as a service of the internet is one: only our name server knows that it is here. */
export interface NamedHost {
  readonly origin: string;
  readonly port: number;
  /** With its authority trusted. */
  readonly environment: Environment;
}

export async function startNamedHost(
  name: string,
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<NamedHost> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-named-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const words = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout ${key} -out ${cert} -subj /CN=${name} -addext subjectAltName=DNS:${name}`;
  execFileSync('openssl', words.split(' '), { stdio: 'ignore' });
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { origin: `https://${name}:${port}`, port, environment: { NODE_EXTRA_CA_CERTS: cert } };
}

/** A name server that says for each name, each time it is asked, what the table says; others do not exist. */
export function nameServer(table: Readonly<Record<string, readonly (readonly string[])[]>>): LookupFunction & {
  readonly asked: readonly string[];
} {
  const asked: string[] = [];
  const lookup: LookupFunction = (host, options, done) => {
    const times = asked.filter((one) => one === host).length;
    asked.push(host);
    const answers = table[host];
    const found = (answers?.[times] ?? answers?.at(-1))?.map((address) => ({ address, family: isIP(address) }));
    const [first] = found ?? [];
    if (found === undefined || first === undefined) {
      return done(Object.assign(new Error('not found'), { code: 'ENOTFOUND' }), []);
    }
    return options.all === true ? done(null, found) : done(null, first.address, first.family);
  };
  return Object.assign(lookup, { asked });
}
