/** What of a client's capabilities an upstream may use through us. Anything else ends here: we would not relay it. */
export type Capabilities = Readonly<Record<string, unknown>>;

export function offered(declared: Capabilities): Record<string, unknown> {
  return Object.fromEntries(RELAYED.flatMap((name) => (isObject(declared[name]) ? [[name, declared[name]]] : [])));
}

/** All that any client could declare: for a link that several share, where each request is judged on its own. */
export const EVERYTHING: Record<string, unknown> = {
  sampling: { tools: {}, context: {} },
  elicitation: { form: {}, url: {} },
  roots: { listChanged: true },
};

/** Whether this client said that it can be asked this. Unknown requests cannot be asked of anybody. */
export function mayBeAsked(declared: Capabilities, method: string, params: Readonly<Record<string, unknown>>): boolean {
  const { sampling, elicitation, roots } = declared;
  switch (method) {
    case 'sampling/createMessage':
      return isObject(sampling) && (params.tools === undefined || isObject(sampling.tools));
    case 'elicitation/create': {
      if (!isObject(elicitation)) return false;
      // An empty object means forms (2025-11-25, elicitation capabilities).
      return params.mode === 'url'
        ? isObject(elicitation.url)
        : isObject(elicitation.form) || elicitation.url === undefined;
    }
    case 'roots/list':
      return isObject(roots);
    default:
      return false;
  }
}

const RELAYED = ['sampling', 'elicitation', 'roots'] as const;

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
