import type { ConnectLine } from '../../../shared/api.ts';
import type { StatusView } from '../../../shared/model.ts';
import type { Handlers } from '../api.ts';
import type { Approvers } from '../approvals/approvers.ts';
import type { ClientSignIn } from '../client-sign-in/client-sign-in.ts';
import type { Widening } from './widening.ts';

export function appRequests(parts: {
  readonly status: () => Promise<StatusView>;
  readonly endpoint: () => string;
  readonly approvers: Approvers;
  readonly dashboard: () => { link(): string } | null;
  readonly widening: Widening;
  readonly clientSignIn: Pick<ClientSignIn, 'state'>;
}): Pick<Handlers, 'status' | 'connectLines' | 'dashboardLink'> {
  return {
    status: () => parts.status(),
    async connectLines() {
      const signIn = await parts.clientSignIn.state();
      return {
        endpoint: parts.endpoint(),
        lines: connectLines(parts.endpoint()),
        signInOff: signIn.kind === 'on' ? null : `Programs cannot sign in by themselves. ${signIn.reason}`,
      };
    },

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

/** Ready to paste. Checked against the clients' own help, and run as printed (docs/testing.md). */
export function connectLines(endpoint: string): readonly ConnectLine[] {
  return [
    {
      client: 'Claude Code',
      text: `claude mcp add --transport http gatehouse ${endpoint} --header "Authorization: Bearer <key>"`,
      withoutKey: `claude mcp add --transport http gatehouse ${endpoint}\nclaude mcp login gatehouse`,
    },
    {
      client: 'Codex',
      text: `codex mcp add gatehouse --url ${endpoint} --bearer-token-env-var GATEHOUSE_KEY`,
      withoutKey: `codex mcp add gatehouse --url ${endpoint}`,
    },
    {
      client: 'Gemini CLI',
      text: `gemini mcp add --transport http -s user -H "Authorization: Bearer <key>" gatehouse ${endpoint}`,
      withoutKey: null,
    },
    {
      client: 'Any client with a JSON configuration',
      text: configuration({ type: 'http', url: endpoint, headers: { Authorization: 'Bearer <key>' } }),
      withoutKey: configuration({ type: 'http', url: endpoint }),
    },
  ];
}

function configuration(gatehouse: object): string {
  return JSON.stringify({ mcpServers: { gatehouse } }, null, 2);
}
