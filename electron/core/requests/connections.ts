import type { Refused } from '../../../shared/api.ts';
import type { OAuthPreset, SignInView } from '../../../shared/connections.ts';
import type { Caller, Handlers } from '../api.ts';
import type { Clients } from '../clients/clients.ts';
import type { Connections } from '../connections/connections.ts';
import { refuseAddress } from '../connections/outbound.ts';
import type { SignIns } from '../connections/sign-ins.ts';
import type { Platform } from '../platform.ts';
import { signInLines } from '../upstreams/sign-in.ts';
import type { Upstreams } from '../upstreams/upstreams.ts';
import { upstreamOf } from './upstreams.ts';
import type { Act, Widening } from './widening.ts';
import { workspaceOf } from './workspace-of.ts';

type Names =
  | 'connectionsList'
  | 'connectionRename'
  | 'connectionSignOut'
  | 'connectionRemove'
  | 'connectionDefault'
  | 'signInStart'
  | 'signInGet'
  | 'signInsList'
  | 'signInChoose'
  | 'signInClient'
  | 'signInConfirm'
  | 'signInOpen'
  | 'signInCancel'
  | 'presetsList';

/** Accounts and sign-ins. Nothing secret leaves by an answer of these. */
export function connectionRequests(parts: {
  readonly connections: Connections;
  readonly signIns: SignIns;
  readonly upstreams: Upstreams;
  readonly clients: Clients;
  readonly widening: Widening;
  readonly openBrowser: Platform['openBrowser'];
  readonly presets: readonly OAuthPreset[];
}): Pick<Handlers, Names> {
  const { connections, signIns, upstreams, clients, openBrowser } = parts;

  /** Whoever sits at a screen of ours has just clicked it; a command may come from anybody, an agent included. */
  async function fromCommand(act: Act, caller: Caller): Promise<Refused | null> {
    return caller.origin === 'cli' ? parts.widening(act, caller) : null;
  }

  return {
    connectionsList({ workspace, upstream }) {
      const found = upstream === undefined ? null : upstreamOf(upstreams, upstream);
      if (found?.kind === 'refused') return [];
      const within = workspace === undefined ? null : workspaceOf(clients, workspace);
      if (within?.kind === 'refused') return [];
      return connections
        .list(found?.upstream.id)
        .filter(({ workspaceId }) => within === null || workspaceId === within.workspace.id);
    },

    async connectionRename({ connection, label }, caller) {
      const before = connections.get(connection);
      // Rules name accounts by label: under another one they decide otherwise.
      const refusal =
        before === null
          ? null
          : await fromCommand(
              {
                kind: 'upstream',
                title: `Give an account at "${before.upstream}" another name`,
                lines: [
                  { label: 'Upstream', value: before.upstream },
                  { label: 'Account', value: label, before: before.label },
                ],
              },
              caller,
            );
      return refusal ?? connections.rename(connection, label);
    },

    async connectionSignOut({ connection }) {
      const ended = await connections.signOut(connection);
      return ended.kind === 'refused'
        ? ended
        : { kind: 'done', connection: ended.connection, note: ended.note ?? null };
    },

    async connectionRemove({ connection }, caller) {
      const account = connections.get(connection);
      const others = account === null ? [] : connections.list(account.upstreamId).filter(({ id }) => id !== account.id);
      // Without the default one, calls that name none go out as another.
      const refusal =
        account?.isDefault === true && others.length > 0
          ? await fromCommand(
              {
                kind: 'upstream',
                title: `Remove the default account at "${account.upstream}"`,
                lines: [
                  { label: 'Upstream', value: account.upstream },
                  { label: 'Account', value: account.label },
                  { label: 'Calls that name none', value: 'go out as another account of it' },
                ],
              },
              caller,
            )
          : null;
      return refusal ?? connections.remove(connection);
    },

    async connectionDefault({ connection, client }, caller) {
      const whose = client === null ? null : clients.get(client);
      if (client !== null && whose === null) return { kind: 'refused', message: `There is no client "${client}".` };
      const account = connections.get(connection);
      // Calls that name no account go out with another person's rights from then on.
      const refusal =
        account === null
          ? null
          : await fromCommand(
              {
                kind: 'upstream',
                title: `Let calls at "${account.upstream}" go out as another account`,
                lines: [
                  { label: 'Upstream', value: account.upstream },
                  { label: 'Account', value: account.label },
                  { label: 'Calls of', value: whose?.name ?? 'every client without a choice of its own' },
                ],
              },
              caller,
            );
      return refusal ?? connections.makeDefault(connection, client);
    },

    async signInStart({ upstream: wanted, label, connection, secret }, caller) {
      const found = upstreamOf(upstreams, wanted);
      if (found.kind === 'refused') return found;
      const { upstream } = found;
      if (upstream.toConfirm !== null)
        return {
          kind: 'refused',
          message: `${upstream.name} was changed on disk. Compare it with what you confirmed, and confirm or remove it first.`,
        };
      const renews =
        connection !== undefined ||
        (label === undefined
          ? connections.list(upstream.id).length > 0
          : connections.byLabel(upstream.id, label) !== null);
      // Again as well: whoever signs in decides whose account the label is from then on.
      const refusal = await fromCommand(
        {
          kind: 'upstream',
          title: renews
            ? `${secret === undefined ? 'Sign in again' : 'Give an account another key'} at "${upstream.name}"`
            : `Connect an account at "${upstream.name}"`,
          lines: [
            { label: 'Upstream', value: upstream.name },
            ...(label === undefined ? [] : [{ label: 'Account', value: label }]),
            ...signInLines(upstream.signIn),
            ...(secret === undefined ? [] : [{ label: 'Key', value: 'a new one, for the vault' }]),
          ],
        },
        caller,
      );
      if (refusal !== null) return refusal;
      return signIns.start({
        upstream,
        label: label ?? null,
        connectionId: connection ?? null,
        secret: secret ?? null,
        by: caller.label,
      });
    },

    signInGet({ signIn }) {
      return known(signIns.get(signIn));
    },

    signInsList({ upstream }) {
      const found = upstream === undefined ? null : upstreamOf(upstreams, upstream);
      return found?.kind === 'refused' ? [] : signIns.list(found?.upstream.id);
    },

    signInChoose({ signIn, issuer }) {
      if (signIns.get(signIn)?.servers.includes(issuer) !== true)
        return { kind: 'refused', message: 'This is none of the servers that the sign-in shows.' };
      return signIns.answer(signIn, 'choose_server', issuer);
    },

    async signInClient({ signIn, clientId, clientSecret }, caller) {
      const asking = signIns.get(signIn);
      if (asking?.state !== 'needs_client_id')
        return signIns.answer(signIn, 'needs_client_id', { clientId, clientSecret });
      const refusal = await fromCommand(
        {
          kind: 'upstream',
          title: `Use a client id of yours at "${asking.upstream}"`,
          lines: [
            { label: 'Upstream', value: asking.upstream },
            { label: 'Client id', value: clientId },
            ...(clientSecret === null ? [] : [{ label: 'Client secret', value: 'a new one, for the vault' }]),
          ],
        },
        caller,
      );
      return refusal ?? signIns.answer(signIn, 'needs_client_id', { clientId, clientSecret });
    },

    signInConfirm: ({ signIn }) => signIns.answer(signIn, 'confirm_scopes', 'confirmed'),

    async signInOpen({ signIn }) {
      const waiting = signIns.get(signIn);
      if (waiting?.link == null) return { kind: 'refused', message: 'The sign-in does not wait for the browser now.' };
      const { link, upstream } = waiting;
      const unsafe = refuseAddress(link, upstream);
      if (unsafe !== null) return { kind: 'refused', message: unsafe.message };
      return { kind: 'done', opened: openBrowser === null ? false : await openBrowser(link), link };
    },

    signInCancel({ signIn }) {
      const cancelled = signIns.cancel(signIn);
      return cancelled.kind === 'refused' ? cancelled : { kind: 'done' };
    },

    presetsList: () => parts.presets,
  };
}

function known(signIn: SignInView | null): { readonly kind: 'done'; readonly signIn: SignInView } | Refused {
  return signIn === null ? { kind: 'refused', message: 'There is no such sign-in.' } : { kind: 'done', signIn };
}
