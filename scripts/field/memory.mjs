import { readdirSync } from 'node:fs';
import { parentOf, residentMb } from '../bench/process-cost.mjs';

/** Resident memory of a process and of all that it started, MB; memory they share counts for each. Null off Linux. */
export function treeMb(pid) {
  const sizes = treeOf(pid).map(residentMb);
  return sizes.length === 0 || sizes.includes(null) ? null : sizes.reduce((sum, size) => sum + size, 0);
}

function treeOf(root) {
  const parents = new Map(pids().map((pid) => [pid, parentOf(pid)]));
  const tree = [root];
  for (const pid of tree) tree.push(...[...parents].filter(([, parent]) => parent === pid).map(([child]) => child));
  return tree;
}

function pids() {
  try {
    return readdirSync('/proc').map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
}
