import type { RedirectSetting } from '../../shared/connections.ts';

/** The port of a redirect address as it is typed: nothing is any free one. */
export function portText({ port }: RedirectSetting): string {
  return port === null ? '' : String(port);
}

export function portOf(text: string): number | null {
  return text.trim() === '' ? null : Number(text);
}

export function portProblem(text: string): string | null {
  const port = portOf(text);
  if (port === null || (Number.isInteger(port) && port >= 1024 && port <= 65_535)) return null;
  return 'Write a port from 1024 to 65535, or nothing.';
}
