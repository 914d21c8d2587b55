import type { Refused } from '../../../shared/api.ts';
import type { Handlers } from '../api.ts';

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

/** Accounts and sign-ins. */
export function connectionRequests(): Pick<Handlers, Names> {
  return {
    connectionsList: () => [],
    connectionRename: () => ABSENT,
    connectionSignOut: () => ABSENT,
    connectionRemove: () => ABSENT,
    connectionDefault: () => ABSENT,
    signInStart: () => ABSENT,
    signInGet: () => ABSENT,
    signInsList: () => [],
    signInChoose: () => ABSENT,
    signInClient: () => ABSENT,
    signInConfirm: () => ABSENT,
    signInOpen: () => ABSENT,
    signInCancel: () => ABSENT,
    presetsList: () => [],
  };
}

const ABSENT: Refused = { kind: 'refused', message: 'This version of Gatehouse connects no accounts.' };
