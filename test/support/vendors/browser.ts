/** Who signs in, and what they press. */
export interface Person {
  /** Default `ada`. */
  readonly account?: string;
  /** Default `allow`. */
  readonly answer?: 'allow' | 'deny';
  /** Left out: a browser that has never been there. */
  readonly cookies?: Cookies;
  /** The last redirect whose target starts with this is not followed. */
  readonly stopBefore?: string;
}

/** Origin, then name, to value. */
export type Cookies = Map<string, Map<string, string>>;

export interface Arrival {
  /** Where it ended. */
  readonly url: string;
  /** 0 when it stopped before asking. */
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Every address on the way, the first one included. */
  readonly way: readonly string[];
}

/**
 * Does with a sign-in link what a person with a browser does, without a browser: goes where it is sent, keeps cookies,
 * fills in the vendor's forms. Ends at the first page that has no form of a vendor.
 */
export async function followAsBrowser(link: string, person: Person = {}): Promise<Arrival> {
  const { account = 'ada', answer = 'allow', cookies = new Map(), stopBefore } = person;
  const way: string[] = [];
  let next: { readonly url: URL; readonly form: URLSearchParams | null } = { url: new URL(link), form: null };
  for (let steps = 0; steps < MOST_STEPS; steps += 1) {
    const { url, form } = next;
    way.push(url.href);
    const jar = cookies.get(url.host) ?? new Map<string, string>();
    cookies.set(url.host, jar);
    const response = await fetch(url, {
      method: form === null ? 'GET' : 'POST',
      body: form,
      redirect: 'manual',
      headers: { accept: 'text/html', cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
    });
    for (const line of response.headers.getSetCookie()) keep(jar, line);
    const text = await response.text();
    const location = response.headers.get('location');
    if (location !== null && response.status >= 300 && response.status < 400) {
      const target = new URL(location, url);
      if (stopBefore !== undefined && target.href.startsWith(stopBefore)) {
        return { url: target.href, status: 0, headers: new Headers(), text: '', way: [...way, target.href] };
      }
      next = { url: target, form: null };
      continue;
    }
    const action = /<form method="post" action="([^"]+)">/.exec(text)?.[1];
    if (action === undefined) return { url: url.href, status: response.status, headers: response.headers, text, way };
    const asksAccount = text.includes('name="account"');
    next = {
      url: new URL(action.replaceAll('&amp;', '&'), url),
      form: new URLSearchParams(asksAccount ? { account } : { answer }),
    };
  }
  throw new Error(`the browser was sent around: ${way.join(' ')}`);
}

const MOST_STEPS = 20;

function keep(jar: Map<string, string>, line: string): void {
  const pair = line.split(';', 1)[0] ?? '';
  const [name = '', ...value] = pair.split('=');
  if (/expires=Thu, 01 Jan 1970/i.test(line)) jar.delete(name);
  else jar.set(name, value.join('='));
}
