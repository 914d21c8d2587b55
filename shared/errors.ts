/**
 * The error catalogue: every error class Gatehouse itself can answer with. `docs/errors.md` is generated from it
 * (`npm run docs:errors`), and a test fails when the two part ways.
 */

export interface ErrorEntry {
  /** The application code: `_meta["gatehouse/code"]` of an `isError` tool result (design section 6). */
  readonly code: number;
  /** HTTP or JSON-RPC form where it is not a tool result. */
  readonly form: string;
  readonly what: string;
  readonly why: string;
  readonly fix: string;
  /** The page of the app that mends it, as in `/open/<page>`; null when none does. */
  readonly page: string | null;
  /** Whether the same call may succeed when it is simply made again. */
  readonly retryable: boolean;
}

const TOOL_RESULT = 'tool result with isError: true';

export const ERRORS = {
  policy_denied: {
    code: 41010,
    form: TOOL_RESULT,
    what: 'The call was not run: a rule denies it.',
    why: 'The named rule of the policy matches this call and denies it, or no rule matches and the default effect is deny.',
    fix: 'Do not retry. If the rule is wrong, change it on the Policy page; the audit record names it.',
    page: 'policy',
    retryable: false,
  },
  paused: {
    code: 41010,
    form: TOOL_RESULT,
    what: 'The call was not run: calls are paused.',
    why: 'The person paused all calls, or those of this client.',
    fix: 'Wait until the person resumes.',
    page: 'approvals',
    retryable: true,
  },
  approval_denied: {
    code: 41011,
    form: TOOL_RESULT,
    what: 'The call was not run: the person denied it.',
    why: 'A rule asks a person for this call, and the answer was no. Where a rule holds the result, the call did run and the message says so.',
    fix: 'Do not retry the same call. Read the reason if one is given and ask the person.',
    page: 'approvals',
    retryable: false,
  },
  approval_unavailable: {
    code: 41011,
    form: TOOL_RESULT,
    what: 'The call was not run: no approver available.',
    why: 'A rule asks a person for this call, and nobody can answer: the screen is locked, or no dashboard is open. Where a rule holds the result, the call did run and the message says so.',
    fix: 'Unlock the screen, or open the dashboard, then call again.',
    page: 'approvals',
    retryable: true,
  },
  approval_expired: {
    code: 41012,
    form: TOOL_RESULT,
    what: 'The call was not run: nobody answered in time.',
    why: 'A rule asks a person for this call, and the time to decide ran out. Where a rule holds the result, the call did run and the message says so.',
    fix: 'Call again when the person is there.',
    page: 'approvals',
    retryable: true,
  },
  tool_changed: {
    code: 41013,
    form: TOOL_RESULT,
    what: 'The call was not run: the tool is no longer what was reviewed.',
    why: 'The upstream changed the definition of this tool after the person reviewed it.',
    fix: 'The person reviews the difference on the Tools page; then call again.',
    page: 'tools',
    retryable: true,
  },
  awaiting_review: {
    code: 41013,
    form: TOOL_RESULT,
    what: 'The call was not run: the tool waits for its review.',
    why: 'Tools of a new upstream are not callable before the person has read what a model would read.',
    fix: 'The person reviews the tool on the Tools page; then call again.',
    page: 'tools',
    retryable: true,
  },
  upstream_changed: {
    code: 41013,
    form: TOOL_RESULT,
    what: 'The call was not run: the upstream is not what the person confirmed.',
    why: 'Its command, its address or another part of it was changed on disk, not by Gatehouse; it is not started.',
    fix: 'The person compares it with what was confirmed on the Upstreams page, and confirms or removes it.',
    page: 'upstreams',
    retryable: true,
  },
  connection_changed: {
    code: 41013,
    form: TOOL_RESULT,
    what: 'The call was not run: the account it was made for is not what it was.',
    why: 'While the call waited, the account was renamed, signed out or removed, or another one became the default. A call never goes out with another account than the one that was decided and shown.',
    fix: 'Call again: it is decided anew, for the account it goes out with then.',
    page: 'connections',
    retryable: true,
  },
  audit_unavailable: {
    code: 41014,
    form: TOOL_RESULT,
    what: 'The call was not run: it cannot be recorded.',
    why: 'The audit log cannot be written (disk full, or the file is not writable). No record, no call.',
    fix: 'Free disk space or mend the data folder; calls go on by themselves.',
    page: 'audit',
    retryable: true,
  },
  upstream_unreachable: {
    code: 41015,
    form: TOOL_RESULT,
    what: 'The upstream cannot be reached.',
    why: 'The upstream is stopped, failed to start, or its address does not answer.',
    fix: 'Look at the Upstreams page: it says why and has a Restart button.',
    page: 'upstreams',
    retryable: true,
  },
  upstream_crashed: {
    code: 41015,
    form: TOOL_RESULT,
    what: 'The upstream ended during the call; it is unknown whether the call had an effect.',
    why: 'The process exited or the connection broke after the call was forwarded. It is never repeated automatically.',
    fix: 'Check what happened before calling again.',
    page: 'upstreams',
    retryable: false,
  },
  upstream_timeout: {
    code: 41015,
    form: TOOL_RESULT,
    what: 'The upstream did not answer in time.',
    why: 'The limit of this upstream for a call without progress ran out. Progress from the upstream resets it.',
    fix: 'Raise the limit of the upstream (call timeout), or ask it for less at once.',
    page: 'upstreams',
    retryable: false,
  },
  call_too_long: {
    code: 41015,
    form: TOOL_RESULT,
    what: 'The call took longer than one call may take.',
    why: 'The limit of this upstream for a whole call ran out, although it reported progress. It is unknown how far it came.',
    fix: 'Raise the limit of the upstream (call ceiling), or ask it for less at once.',
    page: 'upstreams',
    retryable: false,
  },
  rate_limited: {
    code: 41016,
    form: 'HTTP 429 with Retry-After, or tool result with isError: true',
    what: 'Too many requests.',
    why: 'This key has too many requests in flight or queued; or a rule limits how many calls run within a time, and the message names it.',
    fix: 'Wait for answers, or for the time that the message names, before sending more.',
    page: null,
    retryable: true,
  },
  upstream_busy: {
    code: 41016,
    form: TOOL_RESULT,
    what: 'The call was not run: the upstream has as many calls as it may have.',
    why: 'The limits of this upstream for calls at once and for calls that wait are reached; the message has the numbers.',
    fix: 'Wait for answers before calling again, or raise the limits of the upstream.',
    page: 'upstreams',
    retryable: true,
  },
  too_many_pending: {
    code: 41016,
    form: TOOL_RESULT,
    what: 'The call was not run: too many calls already wait for the person.',
    why: 'At most five cards of one client, and twenty in all, may wait for approval; one card holds up to 50 calls of one tool.',
    fix: 'Wait until the waiting calls are answered.',
    page: 'approvals',
    retryable: true,
  },
  secret_unavailable: {
    code: 41017,
    form: TOOL_RESULT,
    what: 'A secret that the upstream needs cannot be read.',
    why: 'The keychain is locked or missing, or the secret was never given.',
    fix: 'Unlock the keychain, or set the secret again on the Upstreams page.',
    page: 'upstreams',
    retryable: true,
  },
  approval_pending: {
    code: 41018,
    form: TOOL_RESULT,
    what: 'The call still waits for a person.',
    why: 'A rule asks a person for this call, or holds its result; nobody has answered yet.',
    fix: 'Call again with the same arguments: the call attaches to the same request, nothing runs twice.',
    page: 'approvals',
    retryable: true,
  },
  auth_required: {
    code: 41019,
    form: TOOL_RESULT,
    what: 'The upstream needs a sign-in.',
    why: 'The account is not connected, or its grant expired and could not be refreshed.',
    fix: 'The person connects the account on the Upstreams page.',
    page: 'connections',
    retryable: true,
  },
  oauth_setup_failed: {
    code: 41019,
    form: TOOL_RESULT,
    what: 'MCP OAuth setup failed for the upstream.',
    why: 'A step of the sign-in failed; the message names it.',
    fix: 'The trace on the Upstreams page shows the failing step and what to fill in; the person signs in again after it.',
    page: 'connections',
    retryable: false,
  },
  invalid_token: {
    code: 41019,
    form: TOOL_RESULT,
    what: 'The upstream refused the token although the account is connected.',
    why: 'The vendor ended the grant, and one silent refresh did not mend it.',
    fix: 'Reconnect the account on the Upstreams page.',
    page: 'connections',
    retryable: false,
  },
  invalid_arguments: {
    code: 41020,
    form: TOOL_RESULT,
    what: 'The call was not run: its arguments do not fit the tool.',
    why: "The arguments do not satisfy the tool's input schema; the message names the field.",
    fix: 'Correct the field and call again.',
    page: null,
    retryable: false,
  },
  result_too_large: {
    code: 41021,
    form: TOOL_RESULT,
    what: 'The result of the call is larger than the limit.',
    why: 'The upstream answered with a longer result than is passed on of this upstream. The call did run.',
    fix: 'Ask for less at once, or raise the limit of the upstream (result size).',
    page: 'upstreams',
    retryable: false,
  },
  message_too_large: {
    code: 41021,
    form: TOOL_RESULT,
    what: 'The upstream sent a message that is larger than the limit.',
    why: 'One message of this upstream was longer than it may be, and was not read to its end; a process is stopped and started again. A call that was with it did run.',
    fix: 'Ask for less at once, or raise the limit of the upstream (message size).',
    page: 'upstreams',
    retryable: false,
  },
  list_too_large: {
    code: 41021,
    form: TOOL_RESULT,
    what: 'The call was not run: the upstream lists more than its limit.',
    why: 'Its list has more items than this upstream may list; the message has the number. Half a list is not used.',
    fix: 'Raise the limit of the upstream (list size), or let it offer less.',
    page: 'upstreams',
    retryable: false,
  },
  list_too_many_pages: {
    code: 41021,
    form: TOOL_RESULT,
    what: 'The call was not run: the list of the upstream does not end within its limit.',
    why: 'Its list comes in more pages than this upstream may use, or in pages without end; the message has the number. Half a list is not used.',
    fix: 'Raise the limit of the upstream (list pages), or let it offer less.',
    page: 'upstreams',
    retryable: false,
  },
  internal: {
    code: 41099,
    form: 'tool result with isError: true, or HTTP 500',
    what: 'Gatehouse failed.',
    why: 'A fault in Gatehouse itself. The request id finds it in the log.',
    fix: 'Report it with the request id and the time.',
    page: null,
    retryable: false,
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorClass = keyof typeof ERRORS;

/** Phrases of the seed guides that are kept as contiguous text for the same conditions (design section 6). */
export const PHRASES = {
  unauthorized: '401 unauthorized',
  notConnected: (upstream: string, link: string) =>
    `auth_required: ${upstream} not connected. Visit ${link} to authorize.`,
  grantExpired: (upstream: string) =>
    `auth_required: ${upstream} grant expired and refresh failed; user must re-authorize.`,
  setupFailed: (upstream: string, code: string) => `MCP OAuth setup failed for ${upstream}: ${code}`,
} as const;
