import type { ConfirmationView } from '../../../shared/model.ts';

export type ConfirmationAnswer = 'confirmed' | 'refused' | 'expired' | 'unavailable';

/** Administrative acts that wait for the person. */
export interface Confirmations {
  /** `unavailable` at once when nobody can answer. Expires after five minutes. */
  request(act: Pick<ConfirmationView, 'kind' | 'title' | 'lines' | 'requestedBy'>): Promise<ConfirmationAnswer>;
  answer(
    id: string,
    answer: 'confirm' | 'refuse',
    by: string,
  ): { readonly kind: 'done' } | { readonly kind: 'refused'; readonly message: string };
  list(): readonly ConfirmationView[];
  onChange(listener: () => void): () => void;
}
