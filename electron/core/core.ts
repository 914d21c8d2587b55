import type { ApprovalView, Topic } from '../../shared/model.ts';
import type { Api } from './api.ts';
import type { Approvers } from './approvals/approvers.ts';
import type { Platform } from './platform.ts';

export interface CoreOptions {
  /** 0 takes any free port. */
  readonly port: number;
  readonly version: string;
  /** `GATEHOUSE_UNATTENDED=1` at start: widening acts from the CLI need no confirmation; shown as a banner and audited. */
  readonly unattended: boolean;
  /** False: open the data folder for one CLI command while no app runs: no listener, no upstream is started. */
  readonly listen: boolean;
}

export interface Core {
  readonly mode: 'desktop' | 'headless';
  /** 0 when not listening. */
  readonly port: number;
  /** `http://127.0.0.1:<port>/mcp` */
  readonly endpoint: string;
  readonly api: Api;
  readonly approvers: Approvers;
  /** Told of what changed; listeners ask again by `api`. */
  subscribe(listener: (topic: Topic) => void): () => void;
  /** Each new approval card, and each new confirmation: for notification and approval window. */
  onCard(listener: (card: { readonly approval: ApprovalView } | { readonly confirmation: string }) => void): () => void;
  /** Headless: where `/open/<page>` leads and what mints one-time links. */
  setDashboard(dashboard: { readonly url: string; link(): string } | null): void;
  /** Desktop: what a click on `/open/<page>` does. */
  onOpenPage(listener: (page: string) => void): () => void;
  close(): Promise<void>;
}

/** Why it did not start: one sentence for a person that says what to do. Exit code 1. */
export type StartFault = {
  readonly kind: 'fault';
  readonly code:
    | 'port_taken'
    | 'data_folder'
    | 'database_newer'
    | 'database_broken'
    | 'already_running'
    | 'environment';
  readonly message: string;
};

export type StartCore = (
  platform: Platform,
  options: CoreOptions,
) => Promise<{ readonly kind: 'started'; readonly core: Core } | StartFault>;
