import { hash } from 'node:crypto';

/*
 * Records as a busy year of a person leaves them: a few clients, some hundred tools of which few are used most, every
 * tenth call asked for, every twelfth refused. The same seed gives the same records.
 */

export const RARE_WORD = 'zebrafish';
export const COMMON_WORD = 'repository';
export const PATH = 'projects/gatehouse';

const CLIENTS = ['claude-code', 'codex', 'cursor', 'gemini-cli', 'opencode', 'vscode', 'claude-desktop', 'nightly'];
const UPSTREAMS = ['github', 'files', 'sentry', 'notion', 'postgres', 'browser', 'slack', 'linear', 'docs', 'shell'];
const VERBS = ['list', 'get', 'search', 'create', 'update', 'delete', 'comment', 'run', 'read', 'write'];
const NOUNS = ['issues', 'pull_request', 'file', 'page', 'query', 'message', 'event', 'branch', 'table', 'snapshot'];
const FOLDERS = ['gatehouse', 'website', 'billing', 'mobile', 'infra', 'docs', 'research', 'dotfiles'];
const CLASSES = ['policy_denied', 'approval_denied', 'upstream_timeout', 'invalid_arguments', 'rate_limited'];
const RULES = ['reading-runs', 'ask-before-writing', 'never-delete', 'small-queries', 'office-hours', 'trusted-docs'];
const TEXT_WORDS = 4_000;

export function createRecords(startAt) {
  let state = 42;
  const random = (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 4_294_967_296) * below);
  };
  /** Small numbers far more often than large ones. */
  const skewed = (below) => Math.min(random(below), random(below), random(below));
  const words = Array.from({ length: TEXT_WORDS }, () =>
    Array.from({ length: 3 + random(7) }, () => 'etaoinshrdlucmfwypvbgkjqxz'[Math.min(random(26), random(26))]).join(
      '',
    ),
  );
  const phrase = (count) => Array.from({ length: count }, () => words[skewed(TEXT_WORDS)]).join(' ');
  let at = startAt;

  function argumentsOf(number) {
    const path = `/home/ann/projects/${FOLDERS[skewed(FOLDERS.length)]}/src/${words[skewed(TEXT_WORDS)]}-${random(900)}.ts`;
    return JSON.stringify({
      path,
      [COMMON_WORD]: `ann/${words[skewed(TEXT_WORDS)]}`,
      query: `${phrase(6)}${number % 40_000 === 39_321 ? ` ${RARE_WORD}` : ''}`,
      limit: random(100),
    });
  }

  /** The drafts of record `number`: one entry for an event or a refusal, two or three for a call that ran. */
  function draftsOf(number) {
    // About 27 calls an hour, with whole nights between.
    at += random(20) === 0 ? 600_000 + random(36_000_000) : random(60_000);
    const client = CLIENTS[skewed(CLIENTS.length)];
    const common = {
      at,
      request_id: `${hash('sha256', `r${number}`, 'hex').slice(0, 20)}`,
      workspace: 'Personal',
      client_id: `id-of-${client}`,
      client,
      key_prefix: 'gh_a1b2c3',
    };
    if (number % 50 === 0) {
      const none = { upstream: null, tool: null, effect: null, rule: null, error_class: null, outcome: 'done' };
      const kind = number % 100 === 0 ? 'upstream_started' : 'key_rotated';
      return [{ ...common, ...none, request_id: null, phase: 'event', kind, detail: '{"by":"dashboard"}' }];
    }
    const upstream = UPSTREAMS[skewed(UPSTREAMS.length)];
    const tool = `${VERBS[skewed(VERBS.length)]}_${NOUNS[skewed(NOUNS.length)]}`;
    const isAsked = random(10) === 0;
    const isRefused = random(12) === 0;
    const effect = isRefused ? 'deny' : isAsked ? 'require_approval' : 'allow';
    const call = { ...common, kind: 'tool_call', upstream, tool, effect, rule: RULES[skewed(RULES.length)] };
    const text = argumentsOf(number);
    const opening = {
      named: `${upstream}__${tool}`,
      era: 'modern',
      session: null,
      keyId: 'k1',
      callKind: 'tool',
      fingerprint: hash('sha256', tool, 'hex'),
      risk: 'write',
      clientTags: ['work'],
      upstreamTags: [],
      policy: '7-0123456789ab',
      reason: `The rule "${call.rule}" decides this call.`,
      arguments: text,
      argumentsSha256: hash('sha256', text, 'hex'),
      argumentsBytes: text.length,
      argumentsRedacted: 0,
    };
    const entry = (phase, detail, rest = {}) => ({
      ...call,
      phase,
      outcome: null,
      error_class: null,
      ...rest,
      detail: JSON.stringify(detail),
    });
    if (isRefused) {
      const error_class = CLASSES[skewed(CLASSES.length)];
      return [entry('ended', { ...opening, code: 41010, totalMs: random(9) }, { outcome: 'refused', error_class })];
    }
    const approval = { answer: 'approved', by: 'dashboard', waitedMs: random(60_000) };
    const took = { totalMs: random(4_000), upstreamMs: random(4_000), resultBytes: random(40_000) };
    return [
      ...(isAsked ? [entry('asked', { ...opening, approval: 'a1' })] : []),
      entry('forwarded', isAsked ? { approval } : opening),
      entry('ended', took, { outcome: random(30) === 0 ? 'failed' : 'answered' }),
    ];
  }

  return { draftsOf, CLIENTS, UPSTREAMS, RULES, CLASSES, now: () => at };
}
