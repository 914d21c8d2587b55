import type { CallFacts } from '../../../electron/core/policy/facts.ts';
import { FAKE_START } from '../../support/fake-clock.ts';

/** The facts of some call, with what a test cares about. */
export function someFacts(facts: Partial<CallFacts> = {}): CallFacts {
  return {
    workspace: 'Personal',
    upstream: 'github',
    upstreamTags: ['code'],
    connection: null,
    kind: 'tool',
    tool: 'create_issue',
    risk: 'write',
    fingerprint: 'ab12cd34'.repeat(8),
    state: 'reviewed',
    client: 'my-agent',
    clientTags: [],
    keyId: 'key-1',
    keyPrefix: 'gh_abcdefgh',
    session: null,
    at: FAKE_START,
    arguments: {},
    ...facts,
  };
}
