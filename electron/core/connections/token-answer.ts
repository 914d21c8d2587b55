import { z } from 'zod';
import { words } from './challenge.ts';
import { jsonOf } from './oauth-answer.ts';
import type { OutboundAnswer } from './outbound.ts';

/** What a token endpoint gave, in so far as it can be used. */
export type TokenAnswer =
  | {
      readonly kind: 'read';
      readonly accessToken: string;
      readonly refreshToken: string | null;
      /** How long the access token lives; null: nobody says. */
      readonly seconds: number | null;
      readonly scopes: readonly string[] | null;
    }
  /** `detail`: why, in whole sentences, with nothing of the answer in them. */
  | { readonly kind: 'unusable'; readonly detail: string };

/** `asked`: the scopes, which are those that were given where the server does not say otherwise (RFC 6749, 5.1). */
export function readTokens(answer: OutboundAnswer, asked: readonly string[] | null): TokenAnswer {
  const parsed = answerSchema.safeParse(jsonOf(answer));
  if (!parsed.success) return { kind: 'unusable', detail: sentences(parsed.error) };
  const { access_token, refresh_token, expires_in, scope } = parsed.data;
  return {
    kind: 'read',
    accessToken: access_token,
    refreshToken: refresh_token ?? null,
    seconds: expires_in,
    scopes: granted(scope, asked),
  };
}

function granted(said: string | null, asked: readonly string[] | null): readonly string[] | null {
  if (said === null) return asked;
  // GitHub and others write commas.
  const isList = !/\s/.test(said) && said.includes(',') && !asked?.includes(said);
  return words(isList ? said.replaceAll(',', ' ') : said) ?? asked;
}

function sentences(error: z.ZodError): string {
  const said = error.issues.map(({ message, code }) =>
    code === 'custom' || message.endsWith('.') ? message : UNREADABLE,
  );
  return [...new Set(said)].slice(0, 2).join(' ');
}

const UNREADABLE = 'It is not an answer of OAuth.';
const HEADER_TOKEN = /^[\x21-\x7e]+$/;
const text = (name: string, most: number) =>
  z
    .string({ error: `It holds no ${name}.` })
    .min(1, `It holds no ${name}.`)
    .max(most, `Its ${name} is too long to be one.`)
    .regex(HEADER_TOKEN, `Its ${name} holds characters that no token may have.`);

/** What RFC 6749, 5.1 lets a server say, and no more of it than can be used (security.md I20). */
const answerSchema = z.object({
  access_token: text('access token', 32 * 1024),
  token_type: z
    .string({ error: 'It does not say what kind of token it gave.' })
    .regex(/^bearer$/i, 'Its token is not a Bearer token, and Gatehouse uses no other.'),
  refresh_token: text('refresh token', 64 * 1024).nullish(),
  expires_in: z
    .union(
      [
        z.number(),
        z
          .string()
          .regex(/^\d{1,10}$/)
          .transform(Number),
      ],
      {
        error: 'It does not say in a usable way how long its token lives.',
      },
    )
    .nullish()
    .transform((seconds) => seconds ?? null)
    .refine((seconds) => seconds === null || (seconds >= 0 && seconds <= A_CENTURY), {
      message: 'It does not say in a usable way how long its token lives.',
    })
    .transform((seconds) => (seconds === null ? null : Math.floor(seconds))),
  scope: z
    .string()
    .max(16 * 1024)
    .nullish()
    .catch(null)
    .transform((scope) => scope ?? null),
});
const A_CENTURY = 100 * 366 * 24 * 60 * 60;
