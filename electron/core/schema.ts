import { approvalsAnswersSchema, approvalsSchema } from './approvals/approvals.ts';
import { inventorySchema } from './catalog/inventory.ts';
import { clientsSchema } from './clients/clients.ts';
import { keysSchema } from './clients/keys.ts';
import { pausesSchema } from './clients/pauses.ts';
import { pinsSchema } from './clients/pins.ts';
import { workspacesSchema } from './clients/workspaces.ts';
import { sessionsSchema } from './gateway/session-store.ts';
import { policiesSchema } from './policy/policy.ts';
import { type SealedTable, sealsSchema } from './seals/sealed-table.ts';
import { secretsSchema } from './secrets/vault.ts';
import { sealedSinks, sinksSchema } from './sinks/definitions.ts';
import type { Migration } from './store/store.ts';
import { sealedUpstreams, upstreamsSchema } from './upstreams/definitions.ts';

/** The schema of `state.db` in order; a step is never edited after release. Each noun keeps its own SQL. */
export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    statements: [
      workspacesSchema,
      clientsSchema,
      keysSchema,
      pinsSchema,
      secretsSchema,
      upstreamsSchema,
      inventorySchema,
      policiesSchema,
      approvalsSchema,
      sessionsSchema,
    ],
  },
  { version: 3, statements: [approvalsAnswersSchema] },
  { version: 4, statements: [pausesSchema] },
  { version: 6, statements: [sealsSchema] },
  { version: 7, statements: [sinksSchema] },
];

/**
 * What is sealed (seals.ts). A migration that changes a sealed member of rows that are there has each of them asked about
 * again.
 */
export const SEALED: readonly SealedTable[] = [sealedUpstreams, sealedSinks];
