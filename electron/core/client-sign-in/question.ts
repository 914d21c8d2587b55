import type { ConfirmationAnswer, Confirmations } from '../approvals/confirmations.ts';

/** What the person is asked, line by line. All of it but our own words is untrusted text. */
export interface Question {
  readonly callsItself: string;
  readonly redirectUri: string;
  /** The program that waits for the answer there, where the system tells: this it did not say of itself. */
  readonly listener: { readonly pid: number; readonly name: string } | null;
  readonly workspace: string;
  /** Names of the upstreams it could see now. */
  readonly upstreams: readonly string[];
  /** True where it sees all of the workspace, also what is added later. */
  readonly seesAll: boolean;
  /** The client that it would be again; null: a new one. */
  readonly again: string | null;
}

/** `withdrawn`: the program asks anew, so this question is over. */
export function askPerson(
  confirmations: Pick<Confirmations, 'request'>,
  question: Question,
  withdrawn: AbortSignal,
): Promise<ConfirmationAnswer> {
  const { callsItself, redirectUri, listener, workspace, upstreams, seesAll, again } = question;
  const named = callsItself === '' ? 'A program without a name' : `"${short(callsItself)}"`;
  const act = {
    kind: 'client_sign_in',
    title: `${named} wants to connect to workspace ${workspace}`,
    lines: [
      { label: 'Calls itself', value: callsItself === '' ? '(nothing)' : callsItself },
      { label: 'Answer goes to', value: redirectUri },
      ...(listener === null ? [] : [{ label: 'Waiting there', value: `${listener.name} (process ${listener.pid})` }]),
      { label: 'Workspace', value: workspace },
      { label: 'May see', value: seen(upstreams, seesAll) },
      { label: 'May do', value: 'list and call tools, as the rules of the workspace allow' },
      { label: 'Until', value: 'you revoke it, or it was not used for 30 days' },
      ...(again === null ? [] : [{ label: 'Signs in again as', value: `${again}, whose earlier sign-in ends` }]),
    ],
    requestedBy: 'a program of this machine',
  } as const;
  return confirmations.request(act, withdrawn);
}

/** A heading of two lines at most; the whole name stands below it. */
function short(name: string): string {
  return name.length <= 80 ? name : `${name.slice(0, 79).toWellFormed()}…`;
}

function seen(upstreams: readonly string[], seesAll: boolean): string {
  const names = upstreams.length === 0 ? 'none yet' : upstreams.join(', ');
  return seesAll ? `all upstreams of the workspace: ${names}` : names;
}
