/**
 * The IPC channels. Each window has its own, and each is answered on that window's own webContents, so that a message
 * from another window finds nobody (design section 1, row 8).
 */
export interface Channels {
  /** invoke(name, input) -> ApiAnswer */
  readonly request: string;
  /** main -> page: one Topic */
  readonly topic: string;
}

export const MAIN_CHANNELS = {
  request: 'gatehouse:main:request',
  topic: 'gatehouse:main:topic',
  /** send({ approval?, confirmation? }) */
  review: 'gatehouse:main:review',
} as const satisfies Channels & { readonly review: string };

export const APPROVAL_CHANNELS = {
  request: 'gatehouse:approval:request',
  topic: 'gatehouse:approval:topic',
} as const satisfies Channels;
