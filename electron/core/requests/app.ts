import type { StatusView } from '../../../shared/model.ts';
import type { Handlers } from '../api.ts';
import type { Approvers } from '../approvals/approvers.ts';
import type { Widening } from './widening.ts';

export function appRequests(parts: {
  readonly status: () => Promise<StatusView>;
  readonly endpoint: () => string;
  readonly approvers: Approvers;
  readonly dashboard: () => { link(): string } | null;
  readonly widening: Widening;
}): Pick<Handlers, 'status' | 'connectLines' | 'dashboardLink'> {
  return {
    status: () => parts.status(),
    connectLines: () => ({ endpoint: parts.endpoint(), lines: connectLines(parts.endpoint()) }),

    async dashboardLink(_input, caller) {
      const dashboard = parts.dashboard();
      if (dashboard === null)
        return {
          kind: 'refused',
          message:
            'There is no dashboard: Gatehouse runs on the desktop, where its window does the same. Start it with --headless for a dashboard.',
        };
      // With a signed-in tab open, that tab says yes: a program on this machine shall not open a second door unseen.
      if (parts.approvers.present()) {
        const refusal = await parts.widening(
          {
            kind: 'dashboard',
            title: 'Open the dashboard in another browser',
            lines: [{ label: 'Asked by', value: caller.label }],
          },
          caller,
        );
        if (refusal !== null) return refusal;
      }
      return { kind: 'done', link: dashboard.link() };
    },
  };
}

/** Ready to paste; `<key>` is what `keys create` printed. Checked against the clients' own help (docs/testing.md). */
export function connectLines(endpoint: string): readonly { readonly client: string; readonly text: string }[] {
  return [
    {
      client: 'Claude Code',
      text: `claude mcp add --transport http gatehouse ${endpoint} --header "Authorization: Bearer <key>"`,
    },
    { client: 'Codex', text: `codex mcp add gatehouse --url ${endpoint} --bearer-token-env-var GATEHOUSE_KEY` },
    {
      client: 'Gemini CLI',
      text: `gemini mcp add --transport http -s user -H "Authorization: Bearer <key>" gatehouse ${endpoint}`,
    },
    {
      client: 'Any client with a JSON configuration',
      text: JSON.stringify(
        { mcpServers: { gatehouse: { type: 'http', url: endpoint, headers: { Authorization: 'Bearer <key>' } } } },
        null,
        2,
      ),
    },
  ];
}
