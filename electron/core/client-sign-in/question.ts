import type { ConfirmationAnswer, Confirmations } from '../approvals/confirmations.ts';

/** What the person is asked, line by line. All of it but our own words is untrusted text. */
export interface Question {
  readonly callsItself: string;
  readonly redirectUri: string;
  readonly workspace: string;
  /** Names of the upstreams it could see now. */
  readonly upstreams: readonly string[];
  /** True where it sees all of the workspace, also what is added later. */
  readonly seesAll: boolean;
  /** The client that it would be again; null: a new one. */
  readonly again: string | null;
}

export function askPerson(
  confirmations: Pick<Confirmations, 'request'>,
  question: Question,
): Promise<ConfirmationAnswer> {
  const { callsItself, redirectUri, workspace, upstreams, seesAll, again } = question;
  const named = callsItself === '' ? 'A program without a name' : `"${callsItself}"`;
  return confirmations.request({
    kind: 'client_sign_in',
    title: `${named} wants to connect to workspace ${workspace}`,
    lines: [
      { label: 'Calls itself', value: callsItself === '' ? '(nothing)' : callsItself },
      { label: 'Answer goes to', value: redirectUri },
      { label: 'Workspace', value: workspace },
      { label: 'May see', value: seen(upstreams, seesAll) },
      { label: 'May do', value: 'list and call tools, as the rules of the workspace allow' },
      { label: 'Until', value: 'you revoke it, or it was not used for 30 days' },
      ...(again === null ? [] : [{ label: 'Signs in again as', value: `${again}, whose earlier sign-in ends` }]),
    ],
    requestedBy: callsItself === '' ? 'a program of this machine' : callsItself,
  });
}

function seen(upstreams: readonly string[], seesAll: boolean): string {
  const names = upstreams.length === 0 ? 'none yet' : upstreams.join(', ');
  return seesAll ? `all upstreams of the workspace: ${names}` : names;
}
