import { z } from 'zod';

/**
 * What is secret about one account, as it stands encrypted in the vault at `grantPlace`. Everything it may be used for is
 * in it: a row that another program changed leads no token anywhere else.
 */
const bound = {
  upstreamId: z.string(),
  connectionId: z.string(),
};

const apiKey = z.object({
  kind: z.literal('api_key'),
  ...bound,
  /** The origin of the address, or the command and arguments, that the key was given for. */
  usedAt: z.string(),
  place: z.discriminatedUnion('in', [
    z.object({ in: z.literal('header'), name: z.string(), prefix: z.string() }),
    z.object({ in: z.literal('query'), name: z.string() }),
    z.object({ in: z.literal('environment'), name: z.string() }),
  ]),
  key: z.string(),
});

const tokens = z.object({
  kind: z.literal('tokens'),
  ...bound,
  /** How they were given: by a person in the browser, or to the client itself. */
  by: z.enum(['code', 'client_credentials']),
  /** The only origin that sees the access token. */
  usedAt: z.string(),
  /** RFC 8707, as the resource metadata says it; null for classic OAuth. */
  resource: z.string().nullable(),
  issuer: z.string(),
  tokenUrl: z.string(),
  revokeUrl: z.string().nullable(),
  clientId: z.string(),
  clientSecret: z.string().nullable(),
  tokenAuth: z.enum(['basic', 'post', 'none']),
  accessToken: z.string(),
  refreshToken: z.string().nullable(),
  /** By our clock, milliseconds since 1970; null: the server did not say. */
  expiresAt: z.number().nullable(),
  obtainedAt: z.number(),
  /** As granted, or as asked for where the server did not say otherwise (RFC 6749, 5.1); null: nothing named. */
  scopes: z.array(z.string()).nullable(),
});

export const grantSchema = z.discriminatedUnion('kind', [apiKey, tokens]);
export type Grant = Readonly<z.infer<typeof grantSchema>>;
export type Tokens = Extract<Grant, { kind: 'tokens' }>;
export type ApiKey = Extract<Grant, { kind: 'api_key' }>;

export function grantPlace(connectionId: string): string {
  return `connection/${connectionId}/grant`;
}
