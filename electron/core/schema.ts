import { approvalsAnswersSchema, approvalsSchema } from './approvals/approvals.ts';
import { heldResultsSchema } from './approvals/held-results.ts';
import { sealedStanding } from './approvals/standing.ts';
import { retentionSchema } from './audit/retention.ts';
import { exposureSchema } from './catalog/exposure.ts';
import { inventorySchema } from './catalog/inventory.ts';
import { sealedTools } from './catalog/tool-table.ts';
import { clientSignInSchema } from './client-sign-in/records.ts';
import { clientsSchema, sealedClients } from './clients/clients.ts';
import { keysSchema, keysSignedInSchema, sealedKeys } from './clients/keys.ts';
import { pausesSchema } from './clients/pauses.ts';
import { pinsSchema } from './clients/pins.ts';
import { workspacesSchema } from './clients/workspaces.ts';
import { connectionsSchema, sealedChoices, sealedConnections } from './connections/connection-table.ts';
import { signInsSchema } from './connections/kept-sign-ins.ts';
import { redirectPortsSchema } from './connections/redirect-ports.ts';
import { registrationsSchema } from './connections/registrations.ts';
import { sessionsSchema } from './gateway/session-store.ts';
import { dismissalsSchema } from './policy/dismissals.ts';
import { policiesSchema, sealedPolicies } from './policy/policy.ts';
import { shadowsSchema } from './policy/shadows.ts';
import { type SealedTable, sealsSchema } from './seals/sealed-table.ts';
import { secretsSchema } from './secrets/vault.ts';
import { sealedSinks, sinksSchema } from './sinks/definitions.ts';
import type { Migration } from './store/store.ts';
import { sealedUpstreams, upstreamSignInSchema, upstreamsSchema } from './upstreams/definitions.ts';

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
  {
    version: 2,
    statements: [
      approvalsAnswersSchema,
      heldResultsSchema,
      pausesSchema,
      shadowsSchema,
      dismissalsSchema,
      sealsSchema,
      sinksSchema,
      exposureSchema,
      retentionSchema,
    ],
  },
  {
    version: 3,
    statements: [upstreamSignInSchema, connectionsSchema, registrationsSchema, redirectPortsSchema, signInsSchema],
  },
  { version: 4, statements: [keysSignedInSchema, clientSignInSchema] },
];

/**
 * What is sealed (seals.ts): whatever opens something. A migration that changes a sealed member of rows that are there
 * would have them taken back, like any change that has no seal; a member that is added is to be null in them.
 */
export const SEALED: readonly SealedTable[] = [
  sealedUpstreams,
  sealedClients,
  sealedKeys,
  sealedTools,
  sealedPolicies,
  sealedStanding,
  sealedSinks,
  sealedConnections,
  sealedChoices,
];
