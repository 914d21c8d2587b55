/** What a server says in `WWW-Authenticate` about how to sign in (RFC 6750, section 3; RFC 9728, section 5.1). Untrusted. */
export interface Challenge {
  readonly scheme: 'bearer' | 'dpop';
  readonly resourceMetadata: string | null;
  readonly scopes: readonly string[] | null;
  readonly error: string | null;
  readonly errorDescription: string | null;
}

/**
 * Reads the header as RFC 9110, section 11.6.1 writes it: several schemes in one line, quoted strings with commas and
 * escapes. The first Bearer or DPoP one counts; null: there is none. The SDK's reader sees a first scheme only, and takes
 * a parameter of any scheme for that one's.
 */
export function readChallenge(header: string | null): Challenge | null {
  if (header === null) return null;
  const found = challenges(header.slice(0, LONGEST)).find(({ scheme }) => scheme === 'bearer' || scheme === 'dpop');
  if (found === undefined) return null;
  const { scheme, parameters } = found;
  const scopes = words(parameters.get('scope') ?? null);
  return {
    scheme: scheme === 'dpop' ? 'dpop' : 'bearer',
    resourceMetadata: parameters.get('resource_metadata') ?? null,
    scopes,
    error: parameters.get('error') ?? null,
    errorDescription: parameters.get('error_description') ?? null,
  };
}

/** Scopes of one text, each once (RFC 6749, section 3.3); null: none in it. */
export function words(text: string | null): readonly string[] | null {
  const found = [...new Set((text ?? '').split(/\s+/).filter((word) => SCOPE.test(word)))];
  return found.length === 0 ? null : found.slice(0, MOST_SCOPES);
}

interface Written {
  readonly scheme: string;
  readonly parameters: Map<string, string>;
}

function challenges(header: string): readonly Written[] {
  const found: Written[] = [];
  for (let rest = header.replace(/^[\s,]+/, ''); rest !== ''; rest = rest.replace(/^[\s,]+/, '')) {
    const parameter = PARAMETER.exec(rest);
    if (parameter !== null) {
      const [all, name = '', quoted, bare] = parameter;
      const parameters = found.at(-1)?.parameters;
      // Given twice means nothing certain: the first one stays (RFC 9110, 11.2 forbids it).
      if (parameters !== undefined && !parameters.has(name.toLowerCase())) {
        parameters.set(name.toLowerCase(), quoted === undefined ? (bare ?? '') : quoted.replace(/\\(.)/g, '$1'));
      }
      rest = rest.slice(all.length);
      continue;
    }
    const scheme = SCHEME.exec(rest);
    if (scheme === null) {
      rest = rest.slice(1);
      continue;
    }
    found.push({ scheme: (scheme[1] ?? '').toLowerCase(), parameters: new Map() });
    rest = rest.slice(scheme[0].length);
    // The other form: one token68 and no parameters.
    const credentials = TOKEN68.exec(rest);
    if (credentials !== null) rest = rest.slice(credentials[0].length);
  }
  return found;
}

const PARAMETER =
  /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+\-.^_`|~0-9A-Za-z:/?=@[\]]+))(?=\s*(?:,|$|\s))/;
const SCHEME = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+)(?:\s+|(?=,)|$)/;
const TOKEN68 = /^[A-Za-z0-9\-._~+/]+=*(?=\s*(?:,|$))/;
/** RFC 6749, appendix A.4. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/;
const MOST_SCOPES = 200;
const LONGEST = 16 * 1024;
