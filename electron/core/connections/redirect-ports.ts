import type BetterSqlite3 from 'better-sqlite3';

/**
 * The port of an upstream's last redirect. Many vendors compare a redirect address to the letter, so the same one is used
 * again as long as it is free (design section 9, I12).
 */
export interface RedirectPorts {
  of(upstreamId: string): number | null;
  remember(upstreamId: string, port: number): void;
  forget(upstreamId: string): void;
}

export const redirectPortsSchema = `
CREATE TABLE redirect_ports (
  upstream_id TEXT PRIMARY KEY,
  port INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535)
) STRICT;
`;

export function createRedirectPorts(db: BetterSqlite3.Database): RedirectPorts {
  const select = db.prepare<[string], { readonly port: number }>(
    'SELECT port FROM redirect_ports WHERE upstream_id = ?',
  );
  const put = db.prepare(
    'INSERT INTO redirect_ports (upstream_id, port) VALUES (?, ?) ON CONFLICT (upstream_id) DO UPDATE SET port = excluded.port',
  );
  const remove = db.prepare('DELETE FROM redirect_ports WHERE upstream_id = ?');
  return {
    of: (upstreamId) => select.get(upstreamId)?.port ?? null,
    remember: (upstreamId, port) => void put.run(upstreamId, port),
    forget: (upstreamId) => void remove.run(upstreamId),
  };
}
