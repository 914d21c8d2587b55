import { z } from 'zod';
import type { NextStep, SignIn, SignInCode } from '../../../shared/connections.ts';

/**
 * What is read of an authorization server's own description (RFC 8414; OpenID Connect Discovery, whose document says the
 * same in the same words). Only what is used: a fault elsewhere in it is not ours.
 */
export const serverMetadataSchema = z.object({
  issuer: z.string().max(2048),
  authorization_endpoint: z.string().max(4096).optional(),
  token_endpoint: z.string().max(4096),
  registration_endpoint: z.string().max(4096).nullish(),
  revocation_endpoint: z.string().max(4096).nullish(),
  scopes_supported: z.array(z.string()).nullish().catch(null),
  code_challenge_methods_supported: z.array(z.string()).nullish().catch(null),
  token_endpoint_auth_methods_supported: z.array(z.string()).nullish().catch(null),
  client_id_metadata_document_supported: z.boolean().nullish().catch(null),
  /** RFC 9207; only a literal `true` says it. */
  authorization_response_iss_parameter_supported: z.boolean().nullish().catch(null),
});
export type ServerMetadata = z.infer<typeof serverMetadataSchema>;

/** An authorization server, as discovery or the person says it. */
export interface AuthorizationServer {
  /** As its metadata says it, character by character; for servers without metadata, the origin. */
  readonly issuer: string;
  /** Null: nobody signs in there in a browser. */
  readonly authorizeUrl: string | null;
  readonly tokenUrl: string;
  readonly registerUrl: string | null;
  readonly revokeUrl: string | null;
  /** Its own metadata; null: it has none (2025-03-26), or the addresses were given by hand. */
  readonly metadata: ServerMetadata | null;
}

/** What a client is called there. */
export interface ClientRegistration {
  readonly how: 'by_hand' | 'metadata_document' | 'registered';
  readonly clientId: string;
  readonly clientSecret: string | null;
  readonly tokenAuth: 'basic' | 'post' | 'none';
  /** Registered in this very sign-in, for what it asks: the vendor has no reason to refuse it. */
  readonly isNew?: true;
}

/** Why a sign-in does not go on: the code, a sentence, and the one thing to do next. */
export interface SignInFault {
  readonly kind: 'fault';
  readonly code: SignInCode;
  /** One or two sentences; the vendor's words are quoted and bounded. */
  readonly message: string;
  readonly next: NextStep;
}

/** Of the two modes with addresses by hand. Its issuer is a name for what was given, as nobody else says one. */
export function writtenServer(signIn: Extract<SignIn, { kind: 'oauth' }>): AuthorizationServer {
  const { authorizeUrl, tokenUrl, revokeUrl } = signIn;
  return { issuer: new URL(tokenUrl).origin, authorizeUrl, tokenUrl, registerUrl: null, revokeUrl, metadata: null };
}

/** Of client credentials with a token address by hand. */
export function tokenServer(tokenUrl: string): AuthorizationServer {
  const issuer = new URL(tokenUrl).origin;
  return { issuer, authorizeUrl: null, tokenUrl, registerUrl: null, revokeUrl: null, metadata: null };
}

/** How a secret is shown there. RFC 8414: a server that does not say it takes HTTP Basic. */
export function secretAuth({ metadata }: AuthorizationServer): 'basic' | 'post' {
  const methods = metadata?.token_endpoint_auth_methods_supported ?? null;
  return methods === null || methods.includes('client_secret_basic') ? 'basic' : 'post';
}

/** What a person knows a server by. */
export function hostOf(address: string): string {
  return URL.canParse(address) ? new URL(address).host : address;
}
