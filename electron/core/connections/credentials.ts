import { PHRASES } from '../../../shared/errors.ts';
import type { Clock } from '../platform.ts';
import type { Failure } from '../upstreams/channel.ts';
import { type Credentials, type CredentialsFor, notConnected, withoutAccount } from '../upstreams/credentials.ts';
import type { Connection, ConnectionTable } from './connection-table.ts';
import type { Grants, Held, Renewed, Shut } from './grants.ts';
import { isDue } from './lifetime.ts';
import { isSame, misfitOf, type UpstreamFacts } from './presented.ts';
import { type StepUp, stepUpOf } from './step-up.ts';

export interface CredentialsParts {
  readonly clock: Clock;
  readonly table: ConnectionTable;
  readonly grants: Grants;
  upstream(id: string): UpstreamFacts | null;
  /** The vendor took it back, or it cannot be renewed: told once. */
  ended(connection: Connection, reason: string): void;
  /** The upstream wants more than was granted. */
  wantsMore(connection: Connection, wanted: StepUp): void;
}

/** What links present, and what becomes of an account when they are refused. */
export function createCredentialsFor(parts: CredentialsParts): CredentialsFor {
  const { clock, table, grants } = parts;

  function nobody(upstreamId: string): Credentials {
    const facts = () => parts.upstream(upstreamId);
    const name = facts()?.name ?? '';
    return {
      ...withoutAccount(name),
      missing() {
        const mode = facts()?.signIn.kind ?? 'none';
        return mode === 'none' || mode === 'mcp_oauth' ? null : notConnected(name);
      },
      async present() {
        return this.missing() ?? withoutAccount(name).present();
      },
    };
  }

  function account(upstreamId: string, id: string): Credentials {
    const name = () => parts.upstream(upstreamId)?.name ?? '';
    /** As it is now, or why nothing goes out as it. */
    function now(): { readonly connection: Connection; readonly upstream: UpstreamFacts } | Failure {
      const connection = table.get(id);
      const upstream = parts.upstream(upstreamId);
      if (connection === null || upstream === null || connection.upstreamId !== upstreamId) return notConnected(name());
      if (connection.state === 'signed_out') return notConnected(upstream.name);
      if (connection.state === 'reconnect') return dead(connection, upstream);
      return { connection, upstream };
    }

    /** The end of a grant is told by whoever finds it out. */
    async function renewed(
      connection: Connection,
      upstream: UpstreamFacts,
      stale: Held,
      isUrgent: boolean,
    ): Promise<Renewed> {
      const result = await grants.renew(connection, upstream, stale, isUrgent);
      if (result.kind === 'dead') parts.ended(connection, result.reason);
      return result;
    }

    return {
      connectionId: id,
      missing() {
        const found = now();
        if ('kind' in found) return found;
        const { connection, upstream } = found;
        const unfit = misfitOf(connection.mode, connection.usedAt, upstream);
        return unfit === null ? null : closed(connection, upstream, { kind: 'shut', why: 'misfit', reason: unfit });
      },
      async present() {
        const found = now();
        if ('kind' in found) return found;
        const { connection, upstream } = found;
        const held = grants.held(connection, upstream) ?? (await grants.open(connection, upstream));
        if (held.kind === 'shut') return closed(connection, upstream, held);
        const { grant } = held;
        if (grant.kind !== 'tokens' || !isDue(grant, clock.now())) return held.presenting;
        const isOver = grant.expiresAt !== null && clock.now() >= grant.expiresAt;
        const next = await renewed(connection, upstream, held, isOver);
        // The person may have signed out meanwhile.
        const still = now();
        if ('kind' in still) return still;
        if (next.kind === 'held') return next.presenting;
        // It could not be renewed just now, and is still good by our clock: the upstream may say otherwise.
        return next.kind === 'later' && !isOver ? held.presenting : notRenewed(connection, upstream, next);
      },
      async refused({ status, challenge }, presented, isLast) {
        const found = now();
        if ('kind' in found) return found;
        const { connection, upstream } = found;
        if (status === 403) {
          const wanted = stepUpOf(connection, challenge, clock.now());
          parts.wantsMore(connection, wanted);
          return asksForMore(upstream, wanted);
        }
        const held = grants.held(connection, upstream) ?? (await grants.open(connection, upstream));
        if (held.kind === 'shut') return closed(connection, upstream, held);
        const isCurrent = isSame(held.presenting.presented, presented);
        if (!isCurrent) return isLast ? stillRefused(upstream) : AGAIN;
        const { grant } = held;
        if (grant.kind === 'api_key' || isLast) {
          parts.ended(connection, `${upstream.name} refused it.`);
          return dead(connection, upstream);
        }
        const next = await renewed(connection, upstream, held, true);
        return next.kind === 'held' ? AGAIN : notRenewed(connection, upstream, next);
      },
    };
  }

  return (upstreamId, connectionId) => {
    const hasAccounts = parts.upstream(upstreamId)?.signIn.kind !== 'none';
    const id = connectionId ?? (hasAccounts ? (table.defaultOf(upstreamId)?.id ?? null) : null);
    return id === null ? nobody(upstreamId) : account(upstreamId, id);
  };
}

/** With its class in front: whoever answers an agent takes such a sentence as it is, in place of "not connected". */
function dead({ mode, label }: Connection, { name }: UpstreamFacts): Failure {
  const message =
    mode === 'api_key'
      ? `auth_required: ${name} refused the API key of the account "${label}". Give it a new one.`
      : PHRASES.grantExpired(name);
  return { kind: 'failure', errorClass: 'auth_required', message, retry: 'never' };
}

function closed({ label }: Connection, { name }: UpstreamFacts, { why, reason }: Shut): Failure {
  if (why === 'misfit') {
    const message = `auth_required: The account "${label}" of ${name} cannot be used. ${reason}`;
    return { kind: 'failure', errorClass: 'auth_required', message, retry: 'never' };
  }
  const message = `${name} needs the account "${label}", whose secret cannot be read. ${reason}`;
  return { kind: 'failure', errorClass: 'secret_unavailable', message, retry: 'patient' };
}

function notRenewed(connection: Connection, upstream: UpstreamFacts, next: Exclude<Renewed, Held>): Failure {
  switch (next.kind) {
    case 'dead':
      return dead(connection, upstream);
    case 'shut':
      return closed(connection, upstream, next);
    case 'unsaved': {
      const message = `The access to ${upstream.name} is not renewed before what comes in its place can be kept. ${next.reason}`;
      return { kind: 'failure', errorClass: 'secret_unavailable', message, retry: 'patient' };
    }
    case 'later': {
      const message = `The access of the account "${connection.label}" to ${upstream.name} could not be renewed. ${next.reason} Gatehouse tries again by itself.`;
      return { kind: 'failure', errorClass: 'upstream_unreachable', message, retry: 'patient', ofAccount: true };
    }
  }
}

function stillRefused({ name }: UpstreamFacts): Failure {
  const message = `${name} refused the token while it was being renewed. Call again.`;
  return { kind: 'failure', errorClass: 'invalid_token', message, retry: 'patient' };
}

function asksForMore({ name }: UpstreamFacts, wanted: StepUp): Failure {
  const message = `auth_required: ${name} ${wanted.words}`;
  return { kind: 'failure', errorClass: 'auth_required', message, retry: 'never' };
}

const AGAIN = { kind: 'again' } as const;
