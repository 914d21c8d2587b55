import type { ClientView, UpstreamView, Workspace } from '../../shared/model.ts';
import type { Call } from './command.ts';
import type { Door } from './door.ts';
import { didYouMean } from './nearest.ts';
import { visible } from './untrusted.ts';

/** Finds what the person named; null when there is no such thing, and that was said with the nearest match. */
export async function findWorkspace(call: Call, door: Door, name: string): Promise<Workspace | null> {
  const all = await door.ask('workspacesList', {});
  if (!all) return null;
  const found = all.find((one) => [one.id, one.slug, one.name].includes(name));
  if (found) return found;
  const names = all.map((one) => one.name);
  call.terminal.say(`gatehouse: There is no workspace '${visible(name)}'.${didYouMean(name, names, visible)}`);
  return null;
}

/** The id of `--workspace`: undefined where it was not given, null where there is no such workspace. */
export async function workspaceOption(call: Call, door: Door): Promise<string | undefined | null> {
  const name = call.text('workspace');
  if (name === null) return undefined;
  return (await findWorkspace(call, door, name))?.id ?? null;
}

export async function findUpstream(call: Call, door: Door, name: string): Promise<UpstreamView | null> {
  const workspace = await workspaceOption(call, door);
  if (workspace === null) return null;
  const all = await door.ask('upstreamsList', { workspace });
  if (!all) return null;
  const [found, another] = all.filter((one) => one.id === name || one.name === name);
  if (found && !another) return found;
  const names = all.map((one) => one.name);
  const problem = found
    ? `More than one workspace has an upstream '${visible(name)}'; say which with --workspace.`
    : `There is no upstream '${visible(name)}'.${didYouMean(name, names)}`;
  call.terminal.say(`gatehouse: ${problem}`);
  return null;
}

export async function findClient(call: Call, door: Door, name: string): Promise<ClientView | null> {
  const workspace = await workspaceOption(call, door);
  if (workspace === null) return null;
  const all = await door.ask('clientsList', { workspace });
  if (!all) return null;
  const [found, another] = all.filter((one) => one.id === name || one.name === name);
  if (found && !another) return found;
  const names = all.map((one) => one.name);
  const problem = found
    ? `More than one client is called '${visible(name)}'; give its id: ${all
        .filter((one) => one.name === name)
        .map((one) => one.id)
        .join(', ')}.`
    : `There is no client '${visible(name)}'.${didYouMean(name, names, visible)}`;
  call.terminal.say(`gatehouse: ${problem}`);
  return null;
}
