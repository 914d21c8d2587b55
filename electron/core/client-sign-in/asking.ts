import type { Interaction, Client as Registration } from 'oidc-provider';
import { z } from 'zod';
import type { ConfirmationAnswer, Confirmations } from '../approvals/confirmations.ts';
import type { Audit } from '../audit/audit.ts';
import type { Clients } from '../clients/clients.ts';
import { faultFields } from '../diagnosis/fault.ts';
import type { Log } from '../diagnosis/log.ts';
import { portOwner } from '../diagnosis/port-owner.ts';
import type { Clock } from '../platform.ts';
import { SCOPE } from './metadata.ts';
import { type Provider, SIGN_IN_SECONDS } from './provider.ts';
import { askPerson } from './question.ts';
import { type Records, sha256 } from './records.ts';
import { resourceNamed } from './resource.ts';

/** Asks the person about sign-ins, and gives the library what was answered: a client with a key of its own, or why not. */
export interface Asking {
  /**
   * The sign-in to wait for: this one, or one that is waiting already for the very same request, as when its address is
   * opened in a second browser.
   */
  begin(library: Provider, interaction: Interaction): string;
  /** `withdrawn`: the program asked anew meanwhile. `unknown`: it was never asked, or before a restart. */
  standing(uid: string): 'waiting' | 'over' | 'withdrawn' | 'unknown';
  /** It was asked before a restart: the question is gone, and was not answered. */
  lost(interaction: Interaction): Promise<void>;
  /** Resolves once the person has answered, or after `ms`. */
  answered(uid: string, ms: number): Promise<void>;
  /** The program has its answer. */
  forget(uid: string): void;
}

export interface AskingParts {
  readonly records: Pick<Records, 'used'>;
  readonly clock: Clock;
  readonly clients: Pick<Clients, 'signIn' | 'signedIn' | 'workspace' | 'defaultWorkspace'>;
  readonly confirmations: Pick<Confirmations, 'request'>;
  /** By workspace id: the names of its upstreams. */
  readonly upstreamNames: (workspaceId: string) => readonly string[];
  readonly audit: Pick<Audit, 'writeSoon'>;
  readonly log: Log;
  readonly port: () => number;
}

export function createAsking(parts: AskingParts): Asking {
  const { records, clock, clients, confirmations, audit, log } = parts;
  /** Settled ones stay until the program has its answer. */
  const asked = new Map<string, Asked>();
  const noes = createNoes(clock);

  function begin(library: Provider, interaction: Interaction): string {
    const { client_id, resource } = interactionSchema.parse(interaction.params);
    const by = `${client_id} ${resource}`;
    const request = JSON.stringify(interaction.params);
    for (const [uid, earlier] of asked) {
      if (earlier.by !== by || earlier.isOver) continue;
      if (earlier.request === request) return uid;
      // Whoever asks anew waits for the earlier answer no longer.
      earlier.withdrawn.abort();
    }
    const withdrawn = new AbortController();
    const entry: Asked = { by, request, isOver: false, over: Promise.resolve(), withdrawn };
    entry.over = askAndNote(library, interaction, withdrawn.signal)
      .catch((error: unknown) => {
        log.error('client_sign_in_failed', faultFields(error));
        return refuse(interaction, 'Gatehouse could not ask.');
      })
      .finally(() => {
        entry.isOver = true;
        clock.after(SIGN_IN_SECONDS * 1000, () => asked.delete(interaction.uid));
      });
    asked.set(interaction.uid, entry);
    return interaction.uid;
  }

  async function askAndNote(library: Provider, interaction: Interaction, withdrawn: AbortSignal): Promise<void> {
    const { client_id, redirect_uri, resource: named } = interactionSchema.parse(interaction.params);
    const registration = await library.Client.find(client_id);
    const resource = resourceNamed(named, parts.port());
    if (registration === undefined || resource === null) return refuse(interaction, 'The program is not registered.');
    records.used(client_id);
    const workspace = resource.workspace === null ? clients.defaultWorkspace() : clients.workspace(resource.workspace);
    if (workspace === null || (resource.workspace !== null && workspace.slug !== resource.workspace))
      return refuse(interaction, 'There is no such workspace.');
    const id = `${sha256(client_id)} ${resource.path}`;
    const again = clients.signedIn(id, workspace.id);
    const callsItself = nameOf(registration);
    const only = again === null ? (resource.upstream === null ? null : [resource.upstream]) : again.upstreams;
    const answer = isFlood()
      ? 'too_many'
      : await askPerson(
          confirmations,
          {
            callsItself,
            redirectUri: redirect_uri,
            listener: portOwner(Number(new URL(redirect_uri).port)),
            workspace: workspace.name,
            upstreams: only ?? parts.upstreamNames(workspace.id),
            seesAll: only === null,
            again: again?.name ?? null,
          },
          withdrawn,
        );
    if (answer === 'refused') noes.another();
    const about = { callsItself, redirectUri: redirect_uri, resource: resource.path };
    const note = (outcome: string, more: object = {}) =>
      audit.writeSoon({
        phase: 'event',
        kind: 'client_sign_in',
        outcome,
        workspace: workspace.name,
        detail: about,
        ...more,
      });
    if (answer !== 'confirmed') {
      note(answer);
      return refuse(interaction, WHY[answer]);
    }
    const signedIn = clients.signIn({
      workspaceId: workspace.id,
      callsItself,
      registration: id,
      upstreams: only,
      expiresAt: clock.now() + UNFETCHED_MS,
    });
    if (signedIn.kind === 'refused') {
      note('refused');
      return refuse(interaction, signedIn.message);
    }
    const { key, client } = signedIn.value;
    note('confirmed', { clientId: client.id, client: client.name, keyPrefix: key.prefix });
    const grant = new library.Grant({ accountId: key.id, clientId: client_id });
    grant.addResourceScope(named, SCOPE);
    await finish(interaction, {
      login: { accountId: key.id, remember: false },
      consent: { grantId: await grant.save() },
    });
  }

  function isFlood(): boolean {
    return [...asked.values()].filter(({ isOver }) => !isOver).length > MOST_ASKED || noes.areMany();
  }

  function refuse(interaction: Interaction, description: string): Promise<void> {
    return finish(interaction, { error: 'access_denied', error_description: description });
  }

  async function finish(interaction: Interaction, result: Interaction['result']): Promise<void> {
    if (result !== undefined) interaction.result = result;
    await interaction.save(Math.max(1, interaction.exp - Math.floor(Date.now() / 1000)));
  }

  return {
    begin,
    standing(uid) {
      const entry = asked.get(uid);
      if (entry === undefined) return 'unknown';
      if (entry.withdrawn.signal.aborted) return 'withdrawn';
      return entry.isOver ? 'over' : 'waiting';
    },
    async lost(interaction) {
      await refuse(interaction, 'Gatehouse was restarted meanwhile. Try again.');
      asked.set(interaction.uid, {
        by: '',
        request: '',
        isOver: true,
        over: Promise.resolve(),
        withdrawn: new AbortController(),
      });
    },
    async answered(uid, ms) {
      let cancel = () => {};
      const late = new Promise<void>((resolve) => {
        cancel = clock.after(ms, resolve);
      });
      await Promise.race([asked.get(uid)?.over, late]);
      cancel();
    },
    forget: (uid) => void asked.delete(uid),
  };
}

/** A yes whose code is never fetched is none. */
const UNFETCHED_MS = SIGN_IN_SECONDS * 1000;

/** One question to the person; `by` is the registration and what it asks for, `request` all that was sent. */
interface Asked {
  readonly by: string;
  readonly request: string;
  over: Promise<void>;
  isOver: boolean;
  readonly withdrawn: AbortController;
}

/** More at once are not read one by one any more. */
const MOST_ASKED = 5;
/** So many noes within so long, and for as long nothing more is asked: a program that asks again and again wears down. */
const MOST_NOES = 3;
const NOES_MS = 60_000;

function createNoes(clock: Clock): { readonly another: () => void; readonly areMany: () => boolean } {
  const at: number[] = [];
  return {
    another: () => void at.push(clock.monotonic()),
    areMany() {
      while (at[0] !== undefined && clock.monotonic() - at[0] >= NOES_MS) at.shift();
      return at.length >= MOST_NOES;
    },
  };
}

const WHY: Readonly<Record<Exclude<ConfirmationAnswer, 'confirmed'> | 'too_many', string>> = {
  too_many: 'Too many programs asked to sign in. Try again in a minute.',
  refused: 'The person refused it in Gatehouse.',
  expired: 'Nobody answered in Gatehouse in time.',
  unavailable: 'Nobody is at Gatehouse to answer. Unlock the screen, or open the dashboard, and try again.',
};

const interactionSchema = z.object({ client_id: z.string(), redirect_uri: z.string(), resource: z.string() });

function nameOf({ clientName }: Registration): string {
  return typeof clientName === 'string' ? clientName : '';
}
