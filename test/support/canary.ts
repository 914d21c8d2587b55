import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

/** A secret that stands nowhere else, with characters that every encoding treats differently. */
export function newCanary(label: string): string {
  return `canary-${label}-${randomBytes(12).toString('hex')}-"ä/+ ~`;
}

/**
 * A canary that may stand in no file of any Gatehouse, ever: each one that this test file starts is searched for it when
 * it closes (security row N1, over the whole run).
 */
export function newSecret(label: string): string {
  return watchSecret(newCanary(label));
}

/** The same for a secret that somebody else made, such as the tokens of a vendor. Returns it. */
export function watchSecret<T extends string>(value: T): T {
  if (value.length < 16) throw new Error('too short to be told from other text');
  watched.add(value);
  return value;
}

/** Every secret that was named so far, and those that vendors gave. */
export function watchedSecrets(): readonly string[] {
  return [...watched];
}

/** Throws when a watched secret, or one of `more`, stands in what Gatehouse itself wrote into this data folder. */
export function assertNoSecretIn(folder: string, more: readonly string[] = []): void {
  const hits = ownFiles(folder).flatMap((file) => {
    const bytes = readFileSync(file);
    return [...watched, ...more].flatMap((secret) => formsIn(bytes, secret).map((form) => `${file}: ${form}`));
  });
  if (hits.length > 0) throw new Error(`secrets in clear:\n${hits.join('\n')}`);
}

/** Tests put files of their own beside those of Gatehouse: records of upstreams, programs, keys. */
export function ownFiles(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return filesUnder(folder).filter((file) => OWN.test(relative(folder, file)));
}

const OWN = /^((state|audit|audit-index|sinks)\.db.*|instance\..*|control\..*|changed.*|(logs|exports)\/.*)$/;
const watched = new Set<string>();

export interface CanaryHit {
  readonly file: string;
  /** `raw`, `base64`, `base64url`, `hex`, `url`, `json` or `utf16`. */
  readonly form: string;
}

/** Searches every file under `folder` for every form of the canary (security rows A17 and N1). */
export function sweep(folder: string, canary: string): readonly CanaryHit[] {
  return filesUnder(folder).flatMap((file) => formsIn(readFileSync(file), canary).map((form) => ({ file, form })));
}

/** The forms in which the canary stands in these bytes. */
export function formsIn(bytes: Buffer, canary: string): readonly string[] {
  return formsOf(canary)
    .filter(({ needle }) => bytes.includes(needle))
    .map(({ form }) => form);
}

/** How many files there were to search: a sweep of nothing proves nothing. */
export function filesUnder(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}

function formsOf(canary: string): readonly { readonly form: string; readonly needle: Buffer }[] {
  const raw = Buffer.from(canary, 'utf8');
  return [
    { form: 'raw', needle: raw },
    { form: 'hex', needle: Buffer.from(raw.toString('hex')) },
    { form: 'hex', needle: Buffer.from(raw.toString('hex').toUpperCase()) },
    { form: 'url', needle: Buffer.from(encodeURIComponent(canary)) },
    { form: 'json', needle: Buffer.from(JSON.stringify(canary).slice(1, -1)) },
    { form: 'utf16', needle: Buffer.from(canary, 'utf16le') },
    { form: 'utf16', needle: Buffer.from(canary, 'utf16le').swap16() },
    ...(['base64', 'base64url'] as const).flatMap((form) =>
      // Inside a longer encoded text the canary may start at each of three places of a group; its edges then mix with
      // its neighbours and are left off.
      [0, 1, 2].map((shift) => {
        const encoded = Buffer.concat([Buffer.alloc(shift), raw])
          .toString(form)
          .replace(/=+$/, '');
        return { form, needle: Buffer.from(encoded.slice(shift === 0 ? 0 : 4, -2)) };
      }),
    ),
  ];
}
