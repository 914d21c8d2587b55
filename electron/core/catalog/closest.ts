/** Up to three names that differ from the wanted one by a slip: a few letters, or a part left out. Nearest first. */
export function closest(wanted: string, names: readonly string[]): readonly string[] {
  const target = wanted.toLowerCase().slice(0, 64);
  if (target === '') return [];
  const allowed = Math.max(1, Math.floor(target.length / 3));
  return names
    .map((name) => ({ name, far: farOf(target, name.toLowerCase(), allowed) }))
    .filter(({ far }) => far <= allowed)
    .sort((a, b) => a.far - b.far || (a.name < b.name ? -1 : 1))
    .slice(0, 3)
    .map(({ name }) => name);
}

/** Half a slip where one contains the other, else the number of letters to change. More than `allowed` is just far. */
function farOf(target: string, name: string, allowed: number): number {
  const [short, long] = target.length < name.length ? [target, name] : [name, target];
  if (short.length >= 3 && long.includes(short)) return 0.5;
  if (long.length - short.length > allowed) return Number.POSITIVE_INFINITY;
  return lettersBetween(target, name);
}

/** Levenshtein distance. */
function lettersBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
