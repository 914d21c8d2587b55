import { randomBytes } from 'node:crypto';
import type BetterSqlite3 from 'better-sqlite3';
import type { Workspace } from '../../../shared/model.ts';
import type { Clock } from '../platform.ts';
import type { ClientsResult } from './clients.ts';
import { BAD_LABEL, parseLabel } from './label.ts';

export const workspacesSchema = `
  CREATE TABLE workspaces (
    id TEXT PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE CHECK (length(slug) BETWEEN 1 AND 32 AND slug NOT GLOB '*[^a-z0-9-]*'),
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    created_at INTEGER NOT NULL
  ) STRICT;
`;

export interface Workspaces {
  list(): readonly Workspace[];
  find(slugOrIdOrName: string): Workspace | null;
  /** From memory: what happens must be recorded also while the database cannot be read. Null: never heard of. */
  nameOf(id: string): string | null;
  /** The oldest. Made as "Personal" when there is none. */
  default(): Workspace;
  create(name: string): ClientsResult<Workspace>;
  /** The slug stays, because it stands in the configuration of other programs. */
  rename(id: string, name: string): ClientsResult<Workspace>;
  /** Refused for the last one, and while a foreign key without cascade points to it, as that of an upstream does. */
  remove(id: string): ClientsResult<Workspace>;
}

export function createWorkspaces({
  db,
  clock,
}: {
  readonly db: BetterSqlite3.Database;
  readonly clock: Clock;
}): Workspaces {
  const sql = {
    all: db.prepare<[], WorkspaceRow>('SELECT * FROM workspaces ORDER BY created_at, rowid'),
    find: db.prepare<[string, string, string], WorkspaceRow>(
      'SELECT * FROM workspaces WHERE id = ? OR slug = ? OR name = ?',
    ),
    named: db.prepare<[string], WorkspaceRow>('SELECT * FROM workspaces WHERE name = ?'),
    hasSlug: db.prepare<[string], number>('SELECT 1 FROM workspaces WHERE slug = ?').pluck(),
    add: db.prepare('INSERT INTO workspaces (id, slug, name, created_at) VALUES (?, ?, ?, ?)'),
    rename: db.prepare('UPDATE workspaces SET name = ? WHERE id = ?'),
    remove: db.prepare('DELETE FROM workspaces WHERE id = ?'),
  };

  const names = new Map(sql.all.all().map(({ id, name }) => [id, name]));

  function find(key: string): Workspace | null {
    const rows = sql.find.all(key, key, key);
    const row = rows.find((it) => it.id === key) ?? rows.find((it) => it.slug === key) ?? rows[0];
    return row ? workspaceOf(row) : null;
  }

  function add(name: string): Workspace {
    const id = randomBytes(16).toString('hex');
    sql.add.run(
      id,
      freeSlug(name, (slug) => sql.hasSlug.get(slug) === 1),
      name,
      clock.now(),
    );
    names.set(id, name);
    return find(id)!;
  }

  if (sql.all.all().length === 0) add('Personal');

  return {
    list: () => sql.all.all().map(workspaceOf),
    find,
    nameOf: (id) => names.get(id) ?? null,
    default: () => workspaceOf(sql.all.get()!),
    create(text) {
      const name = parseLabel(text);
      if (name === null) return { kind: 'refused', message: BAD_LABEL };
      if (sql.named.get(name)) return { kind: 'refused', message: taken(name) };
      return { kind: 'done', value: add(name) };
    },
    rename(id, text) {
      const name = parseLabel(text);
      if (name === null) return { kind: 'refused', message: BAD_LABEL };
      const workspace = find(id);
      if (!workspace) return { kind: 'refused', message: unknownWorkspace(id) };
      const other = sql.named.get(name);
      if (other && other.id !== workspace.id) return { kind: 'refused', message: taken(name) };
      sql.rename.run(name, workspace.id);
      names.set(workspace.id, name);
      return { kind: 'done', value: { ...workspace, name } };
    },
    remove(id) {
      const workspace = find(id);
      if (!workspace) return { kind: 'refused', message: unknownWorkspace(id) };
      if (sql.all.all().length === 1) {
        return { kind: 'refused', message: `Workspace “${workspace.name}” is the only one, so it stays.` };
      }
      try {
        sql.remove.run(workspace.id);
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'SQLITE_CONSTRAINT_FOREIGNKEY')) throw error;
        return { kind: 'refused', message: `Workspace “${workspace.name}” still has upstreams. Remove them first.` };
      }
      return { kind: 'done', value: workspace };
    },
  };
}

export function unknownWorkspace(text: string): string {
  return `There is no workspace “${text}”. \`gatehouse workspaces list\` shows them.`;
}

/** The first part of the name that fits `[a-z0-9-]{1,32}`, with a number behind it where that is taken. */
export function freeSlug(name: string, isTaken: (slug: string) => boolean): string {
  const plain = name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/\p{M}/gu, '')
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, LONGEST_SLUG)
    .replace(/^-+|-+$/g, '');
  const slug = plain === '' ? 'workspace' : plain;
  if (!isTaken(slug)) return slug;
  for (let number = 2; ; number += 1) {
    const numbered = `${slug.slice(0, LONGEST_SLUG - `-${number}`.length)}-${number}`;
    if (!isTaken(numbered)) return numbered;
  }
}

interface WorkspaceRow {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  readonly created_at: number;
}

const LONGEST_SLUG = 32;

const taken = (name: string) => `There is already a workspace “${name}”. Choose another name.`;

function workspaceOf(row: WorkspaceRow): Workspace {
  return { id: row.id, slug: row.slug, name: row.name, createdAt: row.created_at };
}
