import { nearest } from '../core/policy/nearest.ts';

/** ` Did you mean …?` with the known word that was most likely meant, or nothing where none is near. */
export function didYouMean(
  typed: string,
  known: readonly string[],
  show: (word: string) => string = (word) => word,
): string {
  const begun = typed.length >= 3 ? known.filter((word) => word.toLowerCase().startsWith(typed.toLowerCase())) : [];
  const meant = begun.length === 1 ? (begun[0] ?? null) : nearest(typed, known);
  return meant === null ? '' : ` Did you mean ${show(meant)}?`;
}
