import type { Refused } from '../../../shared/api.ts';
import type { PolicySuggestion, Workspace } from '../../../shared/model.ts';
import type { Handlers } from '../api.ts';
import type { Audit } from '../audit/audit.ts';
import type { Clients } from '../clients/clients.ts';
import type { Clock } from '../platform.ts';
import type { Dismissals } from '../policy/dismissals.ts';
import type { Policies } from '../policy/policy.ts';
import { createSuggesting, withRule } from '../policy/suggestions.ts';
import { changePolicy } from './policy-change.ts';
import { recordedCalls } from './replay.ts';
import type { Widening } from './widening.ts';
import { workspaceOf } from './workspace-of.ts';

/** Rules that the person's own answers suggest: shown, applied by the person alone, or dismissed for good. */
export function suggestionRequests(parts: {
  readonly policies: Policies;
  readonly dismissals: Dismissals;
  readonly clients: Clients;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly widening: Widening;
}): Pick<Handlers, 'policySuggestions' | 'policySuggestionApply' | 'policySuggestionDismiss'> {
  const { policies, dismissals, clients, audit, clock } = parts;

  async function suggestionsFor(workspace: Workspace): Promise<readonly PolicySuggestion[]> {
    const { policy } = policies.get(workspace.id);
    // Without a policy everything is denied, and the person was never asked.
    if (policy === null) return [];
    const suggesting = createSuggesting();
    let calls = 0;
    for await (const call of recordedCalls({ audit, clients, clock }, workspace, clock.now() - LOOK_BACK_MS)) {
      suggesting.take(call);
      calls += 1;
      if (calls === MOST_CALLS) break;
    }
    return suggesting
      .suggestions(policy)
      .filter(({ id, client, clientId }) => !dismissals.has(id) && clients.get(clientId)?.name === client);
  }

  async function find(
    workspace: string | undefined,
    suggestion: string,
  ): Promise<
    { readonly kind: 'found'; readonly workspace: Workspace; readonly suggestion: PolicySuggestion } | Refused
  > {
    const found = workspaceOf(clients, workspace);
    if (found.kind === 'refused') return found;
    const wanted = (await suggestionsFor(found.workspace)).find(({ id }) => id === suggestion);
    if (wanted === undefined) return { kind: 'refused', message: 'There is no such suggestion any more.' };
    return { kind: 'found', workspace: found.workspace, suggestion: wanted };
  }

  return {
    async policySuggestions({ workspace }) {
      const found = workspaceOf(clients, workspace);
      return { suggestions: found.kind === 'refused' ? [] : await suggestionsFor(found.workspace) };
    },

    async policySuggestionApply({ workspace, suggestion, narrower }, caller) {
      const found = await find(workspace, suggestion);
      if (found.kind === 'refused') return found;
      const rule = narrower ? found.suggestion.narrower : found.suggestion.rule;
      const { policy } = policies.get(found.workspace.id);
      const draft = rule === null || policy === null ? null : withRule(policy, rule);
      if (rule === null || draft === null)
        return {
          kind: 'refused',
          message: 'This suggestion has no narrower rule. Apply it as it is, or write the rule.',
        };
      const title = `Add the rule "${rule.name}" to the policy of ${found.workspace.name}`;
      const refusal = await changePolicy(
        parts,
        { workspace: found.workspace, policy: draft, title, suggestion },
        caller,
      );
      return refusal ?? { kind: 'done', rule };
    },

    async policySuggestionDismiss({ workspace, suggestion }, caller) {
      const found = await find(workspace, suggestion);
      if (found.kind === 'refused') return found;
      dismissals.add(suggestion, caller.label);
      audit.writeSoon({
        phase: 'event',
        kind: 'suggestion_dismissed',
        workspace: found.workspace.name,
        clientId: found.suggestion.clientId,
        client: found.suggestion.client,
        upstream: found.suggestion.upstream,
        tool: found.suggestion.tool,
        outcome: 'done',
        detail: { suggestion, rule: found.suggestion.rule.name, by: caller.label },
      });
      return { kind: 'done' };
    },
  };
}

/** Answers older than this say little about what the person wants now. */
const LOOK_BACK_MS = 30 * 24 * 3600_000;
const MOST_CALLS = 50_000;
