import { RE2JS } from 're2js';

/** True when the whole of a name fits. Linear in the length of the name. */
export type GlobTest = (name: string) => boolean;

/** Longest glob a rule may hold, in characters. */
export const MAX_GLOB = 200;

/**
 * `*` is any run of characters, `?` exactly one; everything else stands for itself, case included. Names of tools are
 * compared as they are: no folding, no trimming, no Unicode normalisation, so that a look-alike is another name.
 */
export function compileGlob(glob: string): GlobTest {
  if (!/[*?]/.test(glob)) return (name) => name === glob;
  if (!glob.includes('?')) return piecesInOrder(glob.split('*'));
  const pattern = Array.from(glob, (character) => wildcard(character) ?? RE2JS.quote(character)).join('');
  const compiled = RE2JS.compile(pattern, RE2JS.DOTALL);
  return (name) => compiled.testExact(name);
}

/** Most globs have no `?`: then finding each piece behind the one before it is enough, and quicker by far. */
function piecesInOrder(pieces: readonly string[]): GlobTest {
  const start = pieces[0] ?? '';
  const end = pieces.at(-1) ?? '';
  const between = pieces.slice(1, -1);
  return (name) => {
    if (name.length < start.length + end.length || !name.startsWith(start) || !name.endsWith(end)) return false;
    let at = start.length;
    for (const piece of between) {
      const found = name.indexOf(piece, at);
      if (found < 0) return false;
      at = found + piece.length;
    }
    return at <= name.length - end.length;
  };
}

function wildcard(character: string): string | null {
  if (character === '*') return '.*';
  if (character === '?') return '.';
  return null;
}
