import type { Refused } from '../../../shared/api.ts';
import type { Client, PauseView } from '../../../shared/model.ts';
import type { Handlers } from '../api.ts';
import type { Audit } from '../audit/audit.ts';
import type { Clients } from '../clients/clients.ts';
import type { Pauses } from '../clients/pauses.ts';
import type { Widening } from './widening.ts';

/** Pausing narrows and is done at once; resuming widens and asks the person first. */
export function pauseRequests(parts: {
  readonly pauses: Pauses;
  readonly clients: Pick<Clients, 'get'>;
  readonly audit: Audit;
  readonly widening: Widening;
}): Pick<Handlers, 'callsPause' | 'callsResume'> {
  const { pauses, clients, audit, widening } = parts;

  function found(clientId: string | undefined): { readonly kind: 'found'; readonly client: Client | null } | Refused {
    if (clientId === undefined) return { kind: 'found', client: null };
    const client = clients.get(clientId);
    return client === null ? { kind: 'refused', message: 'There is no such client.' } : { kind: 'found', client };
  }

  function record(kind: 'calls_paused' | 'calls_resumed', client: Client | null, by: string): void {
    audit.writeSoon({
      phase: 'event',
      kind,
      clientId: client?.id ?? null,
      client: client?.name ?? null,
      outcome: 'done',
      detail: { scope: client === null ? 'all' : 'client', by },
    });
  }

  const view = () => pauseViews(pauses, clients);

  return {
    callsPause({ client: wanted }, caller) {
      const about = found(wanted);
      if (about.kind === 'refused') return about;
      const { client } = about;
      const paused = client === null ? pauses.pauseAll(caller.label) : pauses.pauseClient(client.id, caller.label);
      if (paused.kind !== 'already') record('calls_paused', client, caller.label);
      const note =
        paused.kind === 'unsaved'
          ? `The pause could not be saved and ends when Gatehouse is quit: ${paused.reason}.`
          : null;
      return { kind: 'done', changed: paused.kind !== 'already', note, pauses: view() };
    },

    async callsResume({ client: wanted }, caller) {
      const about = found(wanted);
      if (about.kind === 'refused') return about;
      const { client } = about;
      const pause = pauses.list().find(({ clientId }) => clientId === (client?.id ?? null));
      if (pause === undefined) return { kind: 'done', changed: false, pauses: view() };
      const refusal = await widening(
        {
          kind: 'resume',
          title: client === null ? 'Resume all calls' : `Resume the calls of ${client.name}`,
          lines: [
            { label: 'Paused by', value: pause.by },
            { label: 'Paused since', value: new Date(pause.since).toISOString() },
          ],
        },
        caller,
      );
      if (refusal !== null) return refusal;
      const resumed = client === null ? pauses.resumeAll() : pauses.resumeClient(client.id);
      if (resumed.kind === 'unsaved')
        return { kind: 'refused', message: `Still paused: the change could not be saved (${resumed.reason}).` };
      if (resumed.kind === 'resumed') record('calls_resumed', client, caller.label);
      return { kind: 'done', changed: resumed.kind === 'resumed', pauses: view() };
    },
  };
}

/** As the screens show them. */
export function pauseViews(pauses: Pick<Pauses, 'list'>, clients: Pick<Clients, 'get'>): readonly PauseView[] {
  return pauses.list().flatMap(({ clientId, by, since }): readonly PauseView[] => {
    if (clientId === null) return [{ clientId, client: null, by, since }];
    const client = clients.get(clientId);
    // A client that was removed with its workspace is paused for ever, and nobody's concern.
    return client === null ? [] : [{ clientId, client: client.name, by, since }];
  });
}
