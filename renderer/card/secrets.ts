import type { Json } from './exact-json.ts';

/** Where a value that looks like a secret stands in the exact text, quotes included. */
export interface SecretRange {
  readonly from: number;
  readonly to: number;
}

/**
 * Values that look like secrets, to be masked until the person asks. Only short values without white space are: a
 * command hidden under a member called `password` must not hide behind the mask.
 */
export function secretsIn(json: Json): readonly SecretRange[] {
  const found: SecretRange[] = [];
  collect(json, null, found);
  return found;
}

const LONGEST = 512;
const TELLING_NAME =
  /(?:token|secret|passw(?:or)?d|passphrase|api[-_]?key|private[-_]?key|access[-_]?key|credential|authorization)s?$/i;
const TELLING_VALUE =
  /^(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|gh_\w{20,}|sk-[\w-]{16,}|[rsp]k_(?:live|test)_\w{16,}|xox[abeprs]-[\w-]{10,}|AKIA[0-9A-Z]{16}|AIza[\w-]{30,}|ntn_\w{20,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|Bearer [\w.~+/=-]{16,})$/;

function collect(json: Json, name: string | null, found: SecretRange[]): void {
  switch (json.kind) {
    case 'object':
      for (const member of json.members) collect(member.value, member.name, found);
      return;
    case 'array':
      for (const item of json.items) collect(item, name, found);
      return;
    case 'string':
      if (looksSecret(name, json.value)) found.push({ from: json.from, to: json.to });
      return;
    case 'literal':
      return;
  }
}

function looksSecret(name: string | null, value: string): boolean {
  if (value.length > LONGEST) return false;
  if (TELLING_VALUE.test(value)) return true;
  return value.length > 0 && !/\s/.test(value) && name !== null && TELLING_NAME.test(name);
}
