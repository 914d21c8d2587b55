import type { Origin, RequestName, RequestResult } from '../../shared/api.ts';

/** Who asks, and from where. `label` goes into the audit: `dashboard`, `cli`, `approval window` … */
export interface Caller {
  readonly origin: Origin;
  readonly label: string;
}

export type ApiAnswer<N extends RequestName = RequestName> =
  | { readonly kind: 'answered'; readonly result: RequestResult<N> }
  /** The argument does not fit its schema: the first problem, with the field. */
  | { readonly kind: 'bad_request'; readonly message: string }
  /** This origin may not make this request. */
  | { readonly kind: 'forbidden'; readonly message: string }
  | { readonly kind: 'unknown_request'; readonly message: string };

/** Answers every request of `shared/api.ts`. Input is untrusted and parsed here, by the schema of its request. */
export interface Api {
  request(name: string, input: unknown, caller: Caller): Promise<ApiAnswer>;
}
