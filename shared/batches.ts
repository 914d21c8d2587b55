import type { ApprovalView } from './model.ts';

/**
 * Calls that wait, as the cards they are shown on: those of one client to one tool are the rows of one card. Cards and rows
 * stand in the order in which they came. The page that shows them and the process that watches it must agree.
 */
export function batchesOf(waiting: readonly ApprovalView[]): readonly (readonly ApprovalView[])[] {
  const batches = new Map<string, ApprovalView[]>();
  for (const approval of waiting.toSorted((a, b) => a.createdAt - b.createdAt)) {
    const rows = batches.get(approval.group);
    if (rows) rows.push(approval);
    else batches.set(approval.group, [approval]);
  }
  return [...batches.values()];
}
