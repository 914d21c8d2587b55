import type { AuthorizationServerMetadata } from '@modelcontextprotocol/client';
import type { NextStep, SignInCode } from '../../../shared/connections.ts';

/** An authorization server, as discovery or the person says it. */
export interface AuthorizationServer {
  /** As its metadata says it, character by character; for servers without metadata, the origin. */
  readonly issuer: string;
  readonly authorizeUrl: string;
  readonly tokenUrl: string;
  readonly registerUrl: string | null;
  readonly revokeUrl: string | null;
  /** Its own metadata; null: it has none (2025-03-26), or the addresses were given by hand. */
  readonly metadata: AuthorizationServerMetadata | null;
}

/** What a client is called there. */
export interface ClientRegistration {
  readonly how: 'by_hand' | 'metadata_document' | 'registered';
  readonly clientId: string;
  readonly clientSecret: string | null;
  readonly tokenAuth: 'basic' | 'post' | 'none';
}

/** Why a sign-in does not go on: the code, a sentence, and the one thing to do next. */
export interface SignInFault {
  readonly kind: 'fault';
  readonly code: SignInCode;
  /** One or two sentences; the vendor's words are quoted and bounded. */
  readonly message: string;
  readonly next: NextStep;
}
