/**
 * Diagnostics: structured, rotating, with a request id in every line about a request. Never arguments, never secrets,
 * never text of a server or a client beyond a name. The audit is another thing: this may be deleted.
 */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

/** For tests and for parts started without a log file. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
