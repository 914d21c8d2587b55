import { z } from 'zod';
import { vendorWords } from './faults.ts';
import type { OutboundAnswer } from './outbound.ts';

/** Undefined: it is no JSON but a page for people, or nothing, which no schema takes. */
export function jsonOf({ text }: OutboundAnswer): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What the server says went wrong (RFC 6749, 5.2; RFC 7591, 3.2.2). Some say so with HTTP 200. Null: it says nothing of it. */
export function errorOf(
  answer: OutboundAnswer,
): { readonly error: string /** All of it, for a sentence. */; readonly words: string } | null {
  const parsed = errorSchema.safeParse(jsonOf(answer));
  if (!parsed.success) return null;
  const { error, error_description: description } = parsed.data;
  return { error, words: vendorWords(error, description) ?? error };
}

const errorSchema = z.object({ error: z.string().min(1), error_description: z.string().nullish().catch(null) });
