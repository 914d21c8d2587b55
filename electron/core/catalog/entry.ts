import type {
  DefinitionKind,
  PromptDefinition,
  ResourceTemplateDefinition,
  Risk,
  ToolDefinition,
  ToolState,
  ToolView,
} from '../../../shared/model.ts';
import { flagsOf } from './flags.ts';
import { proposeRisk } from './proposed-risk.ts';
import type { StoredDefinition, StoredTool } from './tool-table.ts';

/** What one kind of definition looks like. */
export interface DefinitionOf {
  readonly tool: ToolDefinition;
  readonly prompt: PromptDefinition;
  readonly resource_template: ResourceTemplateDefinition;
}

/** One tool, prompt or resource template of one upstream as the inventory knows it. */
export interface Entry<K extends DefinitionKind = DefinitionKind> {
  readonly upstreamId: string;
  readonly kind: K;
  /** Its own name; the URI template of a resource template. Unique within upstream and kind. */
  readonly name: string;
  /** `<upstream>__<name>`, resolved by table only; null for resource templates. */
  readonly exposedName: K extends 'resource_template' ? null : string;
  readonly state: ToolState;
  readonly risk: Risk;
  /** Of the reviewed definition where there is one, else of the offered one. */
  readonly fingerprint: string;
  /** What agents are shown; null while nothing was reviewed. */
  readonly reviewed: DefinitionOf[K] | null;
  readonly offered: DefinitionOf[K] | null;
}

export type Tool = Entry<'tool'>;
export type Prompt = Entry<'prompt'>;
export type ResourceTemplate = Entry<'resource_template'>;

export function entryOf(stored: StoredTool): Entry {
  const judged = (stored.reviewed ?? stored.offered)!;
  return {
    upstreamId: stored.upstreamId,
    kind: stored.kind,
    name: stored.name,
    exposedName: stored.exposedName,
    state: stored.state,
    risk: stored.risk ?? proposedRiskOf(stored.kind, judged),
    fingerprint: judged.fingerprint,
    // Taken in by the schema of its kind (`definitions.ts`).
    reviewed: (stored.reviewed?.definition as DefinitionOf[DefinitionKind] | undefined) ?? null,
    offered: (stored.offered?.definition as DefinitionOf[DefinitionKind] | undefined) ?? null,
  };
}

/** As the person sees it: the fingerprint and the warnings are those of the text that waits, where one waits. */
export function viewOf(stored: StoredTool): ToolView {
  const shown = (stored.offered ?? stored.reviewed)!;
  const proposedRisk = proposedRiskOf(stored.kind, shown);
  const moved = stored.offered && stored.reviewed && stored.offered.endpointHash !== stored.reviewed.endpointHash;
  return {
    upstreamId: stored.upstreamId,
    upstream: stored.upstream,
    kind: stored.kind,
    name: stored.name,
    exposedName: stored.exposedName,
    state: stored.state,
    risk: stored.risk ?? proposedRisk,
    proposedRisk,
    fingerprint: shown.fingerprint,
    reviewed: stored.reviewed?.definition ?? null,
    offered: stored.offered?.definition ?? null,
    flags: [...(moved ? [MOVED] : []), ...flagsOf(shown.definition)],
  };
}

const MOVED = 'The command or address of the upstream is not the one that was reviewed.';

/** A prompt or a resource is text for a model: getting it changes nothing. */
const proposedRiskOf = (kind: DefinitionKind, { definition }: StoredDefinition): Risk =>
  kind === 'tool' ? proposeRisk(definition as ToolDefinition) : 'read';
