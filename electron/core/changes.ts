import type { ApprovalView } from '../../shared/model.ts';
import type { Approvals } from './approvals/approvals.ts';
import type { Approvers } from './approvals/approvers.ts';
import type { Confirmations } from './approvals/confirmations.ts';
import type { HeldResults } from './approvals/held-results.ts';
import type { Trusts } from './approvals/trusts.ts';
import type { Audit } from './audit/audit.ts';
import type { Rounds } from './call/rounds.ts';
import type { Inventory } from './catalog/inventory.ts';
import type { ClientSignIn } from './client-sign-in/client-sign-in.ts';
import type { Clients } from './clients/clients.ts';
import type { Pauses } from './clients/pauses.ts';
import type { Connections } from './connections/connections.ts';
import type { SignIns } from './connections/sign-ins.ts';
import type { Sessions } from './gateway/sessions.ts';
import type { Stateless } from './gateway/stateless.ts';
import type { Clock, Platform } from './platform.ts';
import type { Policies } from './policy/policy.ts';
import type { Shadows } from './policy/shadows.ts';
import { createConfirmAgain } from './requests/confirm-again.ts';
import type { Sinks } from './sinks/sinks.ts';
import type { Topics } from './topics.ts';
import type { Upstreams } from './upstreams/upstreams.ts';

/** What comes up before the person: a call, a result, or an act to be confirmed. */
export type NewCard = { readonly approval: ApprovalView } | { readonly confirmation: string };

/** What one part must know of another's change, in one place: no noun knows who listens to it. */
export function followChanges(parts: {
  readonly platform: Pick<Platform, 'clock' | 'notify'>;
  readonly topics: Topics;
  readonly audit: Audit;
  readonly clients: Clients;
  readonly pauses: Pauses;
  readonly policies: Policies;
  readonly shadows: Shadows;
  readonly approvers: Approvers;
  readonly approvals: Approvals;
  readonly results: Pick<HeldResults<unknown>, 'cancelForKey' | 'onChange' | 'onCard'>;
  readonly trusts: Trusts;
  readonly confirmations: Confirmations;
  readonly clientSignIn: Pick<ClientSignIn, 'endOfKey'>;
  readonly inventory: Inventory;
  readonly upstreams: Upstreams;
  readonly connections: Pick<Connections, 'forgetUpstream' | 'get' | 'onChange'>;
  readonly signIns: Pick<SignIns, 'forgetUpstream' | 'onChange'>;
  /** What else is kept of an upstream for signing in there. */
  readonly forgetSignIn: readonly ((upstreamId: string) => void)[];
  readonly rounds: Rounds;
  readonly sinks: Sinks;
  readonly sessions: Sessions;
  readonly stateless: Stateless;
  showCard(card: NewCard): void;
}): void {
  const { platform, topics, audit, clients, pauses, policies, shadows, approvers, approvals, results } = parts;
  const { trusts, confirmations, clientSignIn, inventory, upstreams, connections, signIns } = parts;
  const { rounds, sinks, sessions, stateless, showCard } = parts;

  const tellEveryListSoon = debounced(platform.clock, () => {
    sessions.listChanged(null);
    stateless.listChanged(null);
  });
  inventory.onChange((upstreamId) => {
    topics.tell('tools');
    for (const tool of inventory.tools(upstreamId))
      if (tool.state !== 'reviewed') approvals.cancelForTool(upstreamId, tool.name);
    tellEveryListSoon();
  });
  const confirmAgain = createConfirmAgain({ upstreams, confirmations, approvers, audit });
  upstreams.onChange((upstreamId) => {
    if (upstreams.definition(upstreamId) === null) {
      void connections.forgetUpstream(upstreamId);
      signIns.forgetUpstream(upstreamId);
      for (const forget of parts.forgetSignIn) forget(upstreamId);
    }
    topics.tell('upstreams');
    confirmAgain();
    tellEveryListSoon();
  });
  connections.onChange((upstreamId) => {
    topics.tell('connections');
    topics.tell('status');
    const isSignedOut = (id: string) => (connections.get(id)?.state ?? 'signed_out') === 'signed_out';
    approvals.cancelForConnections(upstreamId, (id) => !isSignedOut(id));
    // Whether one needs a sign-in shows there too.
    topics.tell('upstreams');
    tellEveryListSoon();
  });
  signIns.onChange(() => topics.tell('connections'));
  upstreams.onNotice((upstreamId, method, params, sessionKey, connectionId) => {
    const { uri } = params.value;
    if (method === 'notifications/resources/updated' && typeof uri === 'string') {
      // An upstream is heard by those alone who subscribed to it, whoever else has a resource of this name.
      const subscribers = upstreams.subscribers(upstreamId, uri, connectionId);
      stateless.resourceUpdated(uri, subscribers);
      for (const subscriber of subscribers) sessions.tell(subscriber, method, params);
    } else if (sessionKey !== null) sessions.tell(sessionKey, method, params);
  });
  policies.onChange(() => {
    topics.tell('policy');
    tellEveryListSoon();
  });
  clients.onChange(() => topics.tell('clients'));
  pauses.onChange(() => topics.tell('status'));
  shadows.onChange(() => topics.tell('policy'));
  trusts.onChange(() => topics.tell('status'));
  clients.onKeyEnded((keyId) => {
    approvals.cancelForKey(keyId);
    rounds.endOfKey(keyId);
    results.cancelForKey(keyId);
    clientSignIn.endOfKey(keyId);
    // Whoever takes a key away from a client does not trust it with everything.
    const owner = clients.list().find(({ keys }) => keys.some(({ id }) => id === keyId));
    if (owner !== undefined) trusts.endForClient(owner.id);
  });
  approvals.onChange(() => topics.tell('approvals'));
  results.onChange(() => topics.tell('approvals'));
  approvals.onCard((approval) => {
    // A burst is one card: it comes up and is announced once (design section 9, F13).
    const joins = ({ id, group }: ApprovalView) => group === approval.group && id !== approval.id;
    if (!approvals.list('waiting').some(joins)) announce(approval, 'asks');
  });
  results.onCard((approval) => announce(approval, 'waits for a result'));
  function announce(approval: ApprovalView, what: string): void {
    showCard({ approval });
    platform.notify({
      title: `${approval.client} ${what}: ${placeOf(approval)} / ${approval.tool}`,
      body: approval.reason,
      approvalId: approval.id,
    });
  }
  let knownConfirmations = new Set<string>();
  confirmations.onChange(() => {
    topics.tell('confirmations');
    const now = new Set(confirmations.list().map((one) => one.id));
    for (const id of now) if (!knownConfirmations.has(id)) showCard({ confirmation: id });
    knownConfirmations = now;
  });
  approvers.onChange(() => topics.tell('status'));
  sinks.onChange(() => topics.tell('sinks'));
  topics.subscribe((topic) => {
    if (topic === 'audit') sinks.wake();
  });
}

function placeOf({ upstream, connection }: ApprovalView): string {
  return connection === null ? upstream : `${upstream} as ${connection}`;
}

/** Clients are told of a changed list at most this often. Milliseconds. */
const LIST_CHANGED_MS = 150;

function debounced(clock: Clock, act: () => void): () => void {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    clock.after(LIST_CHANGED_MS, () => {
      waiting = false;
      act();
    });
  };
}
