import { z } from 'zod';

/** Largest body of a registration, bytes. */
export const MAX_REGISTRATION = 16_384;

export type RegistrationRead =
  | { readonly kind: 'read'; readonly metadata: Readonly<Record<string, unknown>>; readonly callsItself: string }
  /** The codes of RFC 7591 section 3.2.2. */
  | {
      readonly kind: 'refused';
      readonly error: 'invalid_redirect_uri' | 'invalid_client_metadata';
      readonly message: string;
    };

/**
 * What a program may say of itself when it registers (RFC 7591). It becomes a public client whatever it asked for, which
 * section 3.2.1 allows and the answer tells it: a secret that every program of this machine could ask for protects nothing.
 * Only redirect addresses on this machine are kept, so that no code leaves it.
 */
export function readRegistration(body: unknown): RegistrationRead {
  const read = registrationSchema.safeParse(body);
  if (!read.success) {
    const where = read.error.issues[0]?.path.join('.') ?? '';
    return refused(
      'invalid_client_metadata',
      `This is no registration that can be used${where === '' ? '' : ` (see ${where})`}.`,
    );
  }
  const { redirect_uris, client_name, grant_types, response_types } = read.data;
  if (!grant_types.includes('authorization_code') || !response_types.includes('code'))
    return refused(
      'invalid_client_metadata',
      'Programs sign in with the grant authorization_code and the response code.',
    );
  const loopback = redirect_uris.filter(isLoopback);
  if (loopback.length === 0)
    return refused(
      'invalid_redirect_uri',
      'The redirect address must be http on this machine: http://127.0.0.1, http://localhost or http://[::1]. A program that cannot do this uses a key.',
    );
  const callsItself = client_name.trim().toWellFormed();
  return {
    kind: 'read',
    callsItself,
    metadata: {
      redirect_uris: loopback,
      ...(callsItself === '' ? {} : { client_name: callsItself }),
      application_type: 'native',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
  };
}

/** RFC 8252 section 7.3; by a name as well, because that is what many programs send. */
function isLoopback(uri: string): boolean {
  const parsed = URL.parse(uri);
  if (parsed === null || parsed.protocol !== 'http:' || parsed.username !== '' || parsed.password !== '') return false;
  return ['127.0.0.1', 'localhost', '[::1]'].includes(parsed.hostname) && !uri.includes('#');
}

const registrationSchema = z.looseObject({
  redirect_uris: z.array(z.string().max(1000)).min(1).max(20),
  client_name: z.string().max(200).default(''),
  grant_types: z.array(z.string().max(100)).max(20).default(['authorization_code']),
  response_types: z.array(z.string().max(100)).max(20).default(['code']),
});

function refused(error: 'invalid_redirect_uri' | 'invalid_client_metadata', message: string): RegistrationRead {
  return { kind: 'refused', error, message };
}
