import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { onTestFinished } from 'vitest';
import type { Audit, AuditInput } from '../../../electron/core/audit/audit.ts';
import { type AuditOpened, openAudit } from '../../../electron/core/audit/open.ts';
import { silentLog } from '../../../electron/core/diagnosis/log.ts';
import type { Clock, Keychain } from '../../../electron/core/platform.ts';
import { fakeClock } from '../../support/fake-clock.ts';

export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-audit-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export type Opened = Extract<AuditOpened, { kind: 'opened' }>;

export async function openLog(folder: string, keychain: Keychain, clock: Clock = fakeClock()): Promise<Opened> {
  const opened = await openAudit({ folder, clock, keychain, version: '1.2.3', log: silentLog });
  if (opened.kind !== 'opened') throw new Error(opened.message);
  onTestFinished(() => opened.audit.close());
  return opened;
}

export function call(requestId: string, phase: AuditInput['phase'], more: Partial<AuditInput> = {}): AuditInput {
  return {
    phase,
    kind: 'tool_call',
    requestId,
    client: 'agent',
    clientId: 'c1',
    upstream: 'files',
    tool: 'read',
    ...more,
  };
}

/** Writes and insists that it was written. */
export async function written(audit: Audit, entry: AuditInput): Promise<number> {
  const answer = await audit.write(entry);
  if (answer.kind !== 'written') throw new Error(answer.reason);
  return answer.seq;
}

/** As a person with a database tool: the triggers are no obstacle. */
export function tamper(folder: string, ...statements: string[]): void {
  const db = new Database(join(folder, 'audit.db'));
  for (const table of ['entries', 'commits']) {
    for (const what of ['update', 'delete', 'replace']) db.exec(`DROP TRIGGER IF EXISTS ${table}_refuse_${what}`);
  }
  for (const statement of statements) db.exec(statement);
  db.close();
}

export function rows<T>(folder: string, sql: string): readonly T[] {
  const db = new Database(join(folder, 'audit.db'), { readonly: true });
  const found = db.prepare<[], T>(sql).all();
  db.close();
  return found;
}

export async function until(what: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  const end = performance.now() + ms;
  while (!(await what())) {
    if (performance.now() > end) throw new Error(`still not so after ${ms} ms: ${what.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
