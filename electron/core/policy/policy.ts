import type { Policy } from '../../../shared/model.ts';

export type PolicyResult =
  | { readonly kind: 'done'; readonly policy: Policy }
  | { readonly kind: 'refused'; readonly message: string; readonly line?: number; readonly column?: number };

/** The policies in `state.db`, one per workspace, parsed when saved. */
export interface Policies {
  /** Null policy: there is none, everything is denied. `problem`: it is stored but unreadable, everything is denied. */
  get(workspaceId: string): {
    readonly policy: Policy | null;
    readonly problem: string | null /** Changes with every save. */;
    readonly version: string;
  };
  set(workspaceId: string, policy: Policy): void;
  /** Parses and validates; saves nothing. */
  parseYaml(yaml: string): PolicyResult;
  toYaml(policy: Policy): string;
  onChange(listener: (workspaceId: string) => void): () => void;
}
