import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';

/** An https host on loopback, where a Client ID Metadata Document is published. */
export interface DocumentHost extends AsyncDisposable {
  /** Where the document is, and so the client id. */
  readonly url: string;
  /** PEM of who signed its certificate. */
  readonly authority: string;
  /** How often it was fetched. */
  fetched(): number;
}

/** Publishes what `documentOf` makes of the URL: the document says its own address. */
export async function startDocumentHost(documentOf: (url: string) => unknown): Promise<DocumentHost> {
  const tls = makeCertificate();
  let fetches = 0;
  const server = createServer(tls, (incoming, response) => {
    if (incoming.url !== PATH) return void response.writeHead(404).end();
    fetches += 1;
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(documentOf(url)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}${PATH}`;
  return {
    url,
    authority: tls.cert,
    fetched: () => fetches,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const PATH = '/oauth/client.json';

/** A `fetch` for https GETs that trusts one authority: the vendors' own would refuse this machine's addresses. */
export function fetchByAuthority(authority: string): (input: string | URL | Request) => Promise<Response> {
  return (input) =>
    new Promise((resolve, reject) => {
      const url = new URL(input instanceof Request ? input.url : input);
      const outgoing = request(url, { ca: authority, headers: { accept: 'application/json' } }, async (response) => {
        const body = await buffer(response);
        resolve(new Response(body, { status: response.statusCode ?? 502 }));
      });
      outgoing.on('error', reject);
      outgoing.end();
    });
}

function makeCertificate(): { readonly key: string; readonly cert: string } {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-vendor-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  try {
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
        ...['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert],
      ],
      { stdio: 'ignore' },
    );
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
