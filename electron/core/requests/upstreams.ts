import type { Refused } from '../../../shared/api.ts';
import type { ChangedLine, UpstreamView } from '../../../shared/model.ts';
import type { Handlers } from '../api.ts';
import type { Approvals } from '../approvals/approvals.ts';
import type { Clients } from '../clients/clients.ts';
import { PRIVATE, transportLines } from '../upstreams/confirmed.ts';
import { signInLines } from '../upstreams/sign-in.ts';
import type { Upstreams } from '../upstreams/upstreams.ts';
import type { Act, Widening } from './widening.ts';
import { workspaceOf } from './workspace-of.ts';

type Names =
  | 'upstreamsList'
  | 'upstreamAdd'
  | 'upstreamChange'
  | 'upstreamConfirm'
  | 'upstreamRemove'
  | 'upstreamEnable'
  | 'upstreamDisable'
  | 'upstreamRefresh'
  | 'upstreamRestart'
  | 'upstreamLogs'
  | 'upstreamSignIn';

export function upstreamRequests(parts: {
  readonly upstreams: Upstreams;
  readonly approvals: Pick<Approvals, 'cancelForUpstream'>;
  readonly clients: Clients;
  readonly widening: Widening;
}): Pick<Handlers, Names> {
  const { upstreams, approvals, clients, widening } = parts;
  return {
    upstreamsList({ workspace }) {
      if (workspace === undefined) return upstreams.list();
      const found = workspaceOf(clients, workspace);
      return found.kind === 'refused' ? [] : upstreams.list(found.workspace.id);
    },

    async upstreamAdd({ workspace, name, transport, tags, secrets, ...settings }, caller) {
      const found = workspaceOf(clients, workspace);
      if (found.kind === 'refused') return found;
      const taken = upstreams.byName(found.workspace.id, name);
      if (taken !== null)
        return {
          kind: 'refused',
          message: `There is already an upstream "${name}" in ${found.workspace.name}. Choose another name, or remove that one first.`,
        };
      const refusal = await widening(
        {
          kind: 'upstream',
          title: `Add the upstream "${name}"`,
          lines: [
            { label: 'Name', value: name },
            ...transportLines(transport),
            ...privateLines(settings.allowPrivate),
            { label: 'Workspace', value: found.workspace.name },
          ],
        },
        caller,
      );
      if (refusal !== null) return refusal;
      return upstreams.add({ workspaceId: found.workspace.id, name, transport, tags, secrets, settings });
    },

    async upstreamChange({ upstream: wanted, transport, tags, secrets, ...settings }, caller) {
      const found = upstreamOf(upstreams, wanted);
      if (found.kind === 'refused') return found;
      // What runs, what it is given and how rules see it is for the person to confirm; how long it may take is not.
      const widens =
        transport !== undefined ||
        tags !== undefined ||
        Object.keys(secrets).length > 0 ||
        (settings.allowPrivate === true && !found.upstream.settings.allowPrivate);
      if (!widens) return upstreams.change(found.upstream.id, settings);
      const refusal = await widening(
        {
          kind: 'upstream',
          title: `Change the upstream "${found.upstream.name}"`,
          lines: [
            ...(transport === undefined ? transportLines(found.upstream.transport) : transportLines(transport)),
            ...privateLines(settings.allowPrivate),
            ...(tags === undefined ? [] : [{ label: 'Tags', value: tags.join(', ') }]),
            ...(Object.keys(secrets).length === 0
              ? []
              : [{ label: 'New secret values for', value: Object.keys(secrets).join(', ') }]),
          ],
        },
        caller,
      );
      if (refusal !== null) return refusal;
      return upstreams.change(found.upstream.id, {
        ...(transport === undefined ? {} : { transport }),
        ...(tags === undefined ? {} : { tags }),
        secrets,
        ...settings,
      });
    },

    async upstreamSignIn({ upstream: wanted, signIn, clientSecret }, caller) {
      const found = upstreamOf(upstreams, wanted);
      if (found.kind === 'refused') return found;
      const { id, name } = found.upstream;
      const refusal = await widening(
        {
          kind: 'upstream',
          title: `Change how accounts sign in at "${name}"`,
          lines: [
            { label: 'Upstream', value: name },
            ...signInLines(signIn),
            ...(typeof clientSecret === 'string'
              ? [{ label: 'Client secret', value: 'a new one, for the vault' }]
              : []),
          ],
        },
        caller,
      );
      return refusal ?? upstreams.setSignIn(id, signIn, clientSecret);
    },

    async upstreamConfirm({ upstream: wanted }, caller) {
      const found = upstreamOf(upstreams, wanted);
      if (found.kind === 'refused') return found;
      const { id, name, toConfirm } = found.upstream;
      if (toConfirm === null)
        return { kind: 'refused', message: `${name} is what you confirmed; there is nothing to confirm.` };
      const refusal = await widening(changedOnDisk(name, toConfirm), caller);
      return refusal ?? upstreams.confirm(id);
    },

    upstreamRemove: ({ upstream }) =>
      withUpstream(upstreams, upstream, async (one) => {
        const removed = await upstreams.remove(one.id);
        // Nothing of it can run any more, so nothing of it shall be asked for or stand in the list of what is trusted.
        if (removed.kind === 'done') approvals.cancelForUpstream(one.id);
        return removed;
      }),
    upstreamDisable: ({ upstream }) => withUpstream(upstreams, upstream, (one) => upstreams.setEnabled(one.id, false)),
    upstreamEnable: ({ upstream }) => withUpstream(upstreams, upstream, (one) => upstreams.setEnabled(one.id, true)),

    async upstreamRefresh({ upstream }) {
      const found = upstreamOf(upstreams, upstream);
      return found.kind === 'refused' ? found : upstreams.refresh(found.upstream.id);
    },

    async upstreamRestart({ upstream }) {
      const found = upstreamOf(upstreams, upstream);
      return found.kind === 'refused' ? found : upstreams.restart(found.upstream.id);
    },

    upstreamLogs({ upstream }) {
      const found = upstreamOf(upstreams, upstream);
      return { lines: found.kind === 'refused' ? [] : upstreams.logs(found.upstream.id) };
    },
  };
}

/** An upstream that was changed on disk, line by line: what is the same once, what differs as it was and as it is. */
export function changedOnDisk(name: string, lines: readonly ChangedLine[]): Act {
  return {
    kind: 'upstream',
    title: `The upstream "${name}" was changed on disk. Confirm it as it is now?`,
    lines: lines.flatMap(({ label, confirmed, now }) =>
      confirmed === now
        ? [{ label, value: now ?? '' }]
        : [
            { label: `${label}, as you confirmed it`, value: confirmed ?? '(nothing)' },
            { label: `${label}, as it is now`, value: now ?? '(nothing)' },
          ],
    ),
  };
}

/** By id or, where it is unique over all workspaces, by name. */
export function upstreamOf(
  upstreams: Pick<Upstreams, 'get' | 'list'>,
  wanted: string,
): { readonly kind: 'found'; readonly upstream: UpstreamView } | Refused {
  const byId = upstreams.get(wanted);
  if (byId !== null) return { kind: 'found', upstream: byId };
  const named = upstreams.list().filter((one) => one.name === wanted);
  if (named.length > 1)
    return {
      kind: 'refused',
      message: `"${wanted}" exists in several workspaces. Use its id: ${named.map((one) => one.id).join(', ')}.`,
    };
  const only = named[0];
  if (only !== undefined) return { kind: 'found', upstream: only };
  return { kind: 'refused', message: `There is no upstream "${wanted}". "upstreams list" shows which there are.` };
}

async function withUpstream(
  upstreams: Upstreams,
  wanted: string,
  act: (upstream: UpstreamView) => ReturnType<Upstreams['remove']>,
): Promise<{ readonly kind: 'done' } | Refused> {
  const found = upstreamOf(upstreams, wanted);
  if (found.kind === 'refused') return found;
  const result = await act(found.upstream);
  return result.kind === 'refused' ? result : { kind: 'done' };
}

function privateLines(allowed: boolean | undefined): { readonly label: string; readonly value: string }[] {
  return allowed === true ? [{ label: 'May lead to', value: PRIVATE }] : [];
}
