import type { Transport } from '@modelcontextprotocol/client';
import type { ErrorClass } from '../../../shared/errors.ts';

/** One way to reach one upstream, open from `open…()` to `close()`. */
export interface Channel {
  readonly transport: Transport;
  readonly pid: number | null;
  /** Everything that belongs to it is gone when the promise resolves; at once when it is gone already. */
  close(): Promise<void>;
  /** Why it ended, in words that follow the upstream's name ("ended with exit code 1"); null while it has not. */
  ending(): string | null;
  /** What it wrote that is no MCP message, counted. */
  garbage(): number;
}

/** Why an upstream cannot be used now. */
export interface Failure {
  readonly kind: 'failure';
  readonly errorClass: Extract<
    ErrorClass,
    | 'upstream_unreachable'
    | 'upstream_crashed'
    | 'upstream_timeout'
    | 'secret_unavailable'
    | 'auth_required'
    | 'invalid_token'
    | 'list_too_large'
    | 'list_too_many_pages'
    | 'message_too_large'
    | 'upstream_changed'
  >;
  /** One sentence that names the upstream. Our words, never the server's. */
  readonly message: string;
  /**
   * `never`: nothing changes by itself. `bounded`: a few times, since a start costs a process.
   * `patient`: for as long as it takes, since what is missing is elsewhere (the network, the keychain).
   */
  readonly retry: 'never' | 'bounded' | 'patient';
  /** It is about the account alone: what runs is in order, and starting it again changes nothing. */
  readonly ofAccount?: true;
}
