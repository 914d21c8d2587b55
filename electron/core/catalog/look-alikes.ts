/** A tool, prompt or resource template by its name, and whose it is. */
export interface Named {
  readonly upstreamId: string;
  readonly upstream: string;
  readonly name: string;
}

/** Names of one kind in one workspace, by what they look like. */
export type ByLook = ReadonlyMap<string, readonly Named[]>;

/**
 * One sentence about the first other name that a reader would take this one for: `read_fi1e` beside `read_file`, a
 * Cyrillic `rеad_file`, `cornmit` beside `commit`; of this upstream or another. The same name on two upstreams is
 * nothing to warn of (each is called by its upstream's), nor are names that differ in case or separators: that is seen.
 */
export function lookAlikeOf(named: Named, known: ByLook): string | null {
  const other = known
    .get(lookOf(named.name))
    ?.find(({ name }) => name !== named.name && name.toLowerCase() !== named.name.toLowerCase());
  if (other === undefined) return null;
  const whose = other.upstreamId === named.upstreamId ? 'of this upstream' : `of the upstream "${other.upstream}"`;
  return `The name "${written(named.name)}" can be taken for "${written(other.name)}" ${whose}: ${differing(named.name, other.name)}.`;
}

/** What a name looks like: two names with the same look are hard to tell apart. */
export function lookOf(name: string): string {
  return name
    .normalize('NFKD')
    .replace(/[^\x20-\x7e]/gu, (character) => LATIN.get(character) ?? (/\p{M}/u.test(character) ? '' : character))
    .replace(/[I1|]/g, 'l')
    .replace(/0/g, 'o')
    .toLowerCase()
    .replace(/rn/g, 'm')
    .replace(/vv/g, 'w');
}

/**
 * Letters of other scripts that are drawn like a Latin one, from the Unicode list of confusables (UTS 39): those that a
 * keyboard of today can write. Compatibility forms (full width, mathematical) are resolved by NFKD before.
 */
const LATIN: ReadonlyMap<string, string> = new Map(
  [
    // Cyrillic, Greek, Armenian, Cherokee, Latin that is no ASCII, dashes.
    ['аеорсухіјѕһԁԛԝүӏѵк', 'aeopcyxijshdqwylvk'],
    ['АВЕКМНОРСТХУІЈЅԌԚԜҮӀ', 'ABEKMHOPCTXYIJSGQWYI'],
    ['αινορυκτχγ', 'aivopuktxy'],
    ['ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ', 'ABEZHIKMNOPTYX'],
    ['աոսօցհզ', 'wnuoghq'],
    ['ᎪᏴᏟᎠᎬᎻᎫᏦᏞᎷᏢᏒᏚᎢᏙᏔᏃ', 'ABCDEHJKLMPRSTVWZ'],
    ['ıɑɡɩʟɪᴏᴜᴠᴡᴢ', 'iagiliouvwz'],
    ['‐‑‒–—−', '------'],
  ].flatMap(([from = '', to = '']) => [...from].map((character, index) => [character, to.charAt(index)] as const)),
);

/** Where the two part ways, as codes: in print they look alike. */
function differing(name: string, other: string): string {
  const [own, its] = [[...name], [...other]];
  let start = 0;
  while (start < own.length && own[start] === its[start]) start += 1;
  const [here, there] = [own[start], its[start]];
  const codes = (character: string | undefined) =>
    character === undefined ? 'nothing' : `"${written(character)}" (${codeOf(character)})`;
  return `after "${written(own.slice(0, start).join(''))}" it has ${codes(here)} instead of ${codes(there)}`;
}

const codeOf = (character: string): string =>
  `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;

/** Everything that is not plain ASCII as its code: the difference must be seen. */
const written = (text: string): string =>
  text.replace(/[^\x20-\x7e]/gu, (character) => `\\u{${codeOf(character).slice(2)}}`);
