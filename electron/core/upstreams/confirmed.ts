import { signInSchema } from '../../../shared/api.ts';
import type { ChangedLine, UpstreamTransport } from '../../../shared/model.ts';
import type { SealedRow } from '../seals/sealed-table.ts';
import type { Difference, Seals } from '../seals/seals.ts';
import type { Failure } from './channel.ts';
import { transportSchema, type UpstreamDefinition } from './definitions.ts';
import { signInLines } from './sign-in.ts';

/** Whether an upstream is what the person confirmed: what was changed on disk is not started before it is asked again. */
export interface Confirmed {
  /** Why it must not be started; null when it may. */
  refusal(definition: UpstreamDefinition): Promise<Failure | null>;
  /** Every line of it, with what was confirmed beside what it is now; null while nothing is to be confirmed. */
  lines(id: string): readonly ChangedLine[] | null;
  /** Where its command is found is not what was confirmed with it: that is looked up when it starts. */
  runsAnew(id: string): boolean;
  /** False when it is another one again by now. */
  accept(id: string): boolean;
}

/** Nothing is sealed: whatever the database says was confirmed. */
export const unsealed: Confirmed = {
  refusal: async () => null,
  lines: () => null,
  runsAnew: () => false,
  accept: () => false,
};

export function createConfirmed(seals: Pick<Seals, 'check' | 'isStale' | 'difference' | 'accept'>): Confirmed {
  const differenceOf = (id: string) => seals.difference('upstreams', id);
  return {
    async refusal({ id, name, transport }) {
      // It is this program's own code, whatever the database says.
      if (transport.kind === 'demo') return null;
      const checked = await seals.check();
      if (checked.kind === 'unavailable') {
        const message = `${name} is not started before it is known whether it was changed on disk. ${checked.reason}`;
        return { kind: 'failure', errorClass: 'secret_unavailable', message, retry: 'patient' };
      }
      if (seals.isStale()) {
        return { kind: 'failure', errorClass: 'upstream_changed', message: `${name} ${STALE}`, retry: 'never' };
      }
      const difference = differenceOf(id);
      if (difference === null) return null;
      const message = `${name} ${difference.confirmed === null ? UNKNOWN : CHANGED} ${AGAIN}`;
      return { kind: 'failure', errorClass: 'upstream_changed', message, retry: 'never' };
    },
    lines(id) {
      const difference = differenceOf(id);
      return difference === null ? null : linesOf(difference);
    },
    runsAnew(id) {
      const difference = differenceOf(id);
      return difference !== null && isOtherCommand(difference);
    },
    accept(id) {
      const difference = differenceOf(id);
      return difference !== null && seals.accept(difference);
    },
  };
}

function isOtherCommand({ confirmed, now }: Difference): boolean {
  return confirmed?.transport !== now.transport;
}

function linesOf(difference: Difference): readonly ChangedLine[] {
  const { confirmed } = difference;
  const now = { ...difference.now };
  if (isOtherCommand(difference) && now.resolvedCommand !== null) now.resolvedCommand = LOOKED_UP;
  const before = confirmed === null ? new Map<string, string>() : labelled(confirmed);
  const after = labelled(now);
  const labels = [...after.keys(), ...[...before.keys()].filter((label) => !after.has(label))];
  return labels.map((label) => ({ label, confirmed: before.get(label) ?? null, now: after.get(label) ?? null }));
}

/** A sealed row as a person reads it: by label, one line each. */
function labelled(row: SealedRow): ReadonlyMap<string, string> {
  const transport = transportSchema.parse(JSON.parse(String(row.transport)));
  const tags = String(row.tags) === '[]' ? null : String(row.tags);
  return new Map<string, string>(
    [
      ['Name', row.name],
      ...transportLines(transport).map(({ label, value }) => [label, value] as const),
      ['Runs', row.resolvedCommand],
      ['Tags', tags],
      ['May lead to', row.allowPrivate === 1 ? PRIVATE : null],
      ...signedIn(row.signIn),
      ['Workspace', row.workspace],
    ].flatMap(([label, value]) => (value === null || value === undefined ? [] : [[String(label), String(value)]])),
  );
}

function signedIn(stored: SealedRow[string] | undefined): readonly (readonly [string, string])[] {
  if (typeof stored !== 'string') return [];
  return signInLines(signInSchema.parse(JSON.parse(stored))).map(({ label, value }) => [label, value]);
}

/** The exact command or address, whole: what is confirmed is what will run. */
export function transportLines(transport: UpstreamTransport): { readonly label: string; readonly value: string }[] {
  switch (transport.kind) {
    case 'stdio':
      return [
        { label: 'Command', value: transport.command },
        ...transport.args.map((argument, index) => ({ label: `Argument ${index + 1}`, value: argument })),
        ...(transport.secretEnv.length === 0
          ? []
          : [{ label: 'Environment from the vault', value: transport.secretEnv.join(', ') }]),
        ...(transport.cwd === null ? [] : [{ label: 'Folder', value: transport.cwd }]),
      ];
    case 'http':
      return [
        { label: 'Address', value: transport.url },
        ...(transport.secretHeaders.length === 0
          ? []
          : [{ label: 'Headers from the vault', value: transport.secretHeaders.join(', ') }]),
      ];
    case 'demo':
      return [{ label: 'Built in', value: 'the demo upstream' }];
  }
}

export const PRIVATE = 'private and local addresses';
const LOOKED_UP = 'looked up when it starts';
const CHANGED = 'was changed on disk since you confirmed it, and is not started.';
const STALE =
  'is not started: settings that another program changed were found when the keychain was unlocked, and set back. Start Gatehouse again.';
const UNKNOWN = 'is not known to be confirmed by you, and is not started.';
const AGAIN = 'See what is different, then confirm it as it is now, or remove it.';
