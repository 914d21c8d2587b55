import type { Clock } from '../platform.ts';
import type { Vault, VaultState } from '../secrets/vault.ts';

/** A keychain that is locked now may be unlocked any moment: what is shown of the accounts says so by itself. */
export function watchVault(parts: {
  readonly clock: Clock;
  readonly vault: Pick<Vault, 'state' | 'onChange'>;
  /** There is something in it for us: without, nobody is asked for a password. */
  isUsed(): boolean;
  changed(isOpen: boolean): void;
}): { /** As it was found last; open until then. */ state(): VaultState; stop(): void } {
  let state: VaultState = { kind: 'ready', by: 'keychain' };
  let cancel = () => {};
  let isOver = false;

  async function look(): Promise<void> {
    if (!parts.isUsed()) return;
    const before = state.kind;
    state = await parts.vault.state();
    if (isOver) return;
    if (before !== state.kind) parts.changed(state.kind === 'ready');
    cancel();
    if (state.kind === 'locked' || state.kind === 'absent') cancel = parts.clock.after(LOCKED_MS, () => void look());
  }
  void look();
  const unfollow = parts.vault.onChange(() => void look());

  return {
    state: () => state,
    stop() {
      isOver = true;
      unfollow();
      cancel();
    },
  };
}

const LOCKED_MS = 5_000;
