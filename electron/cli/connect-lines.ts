import type { RequestResult } from '../../shared/api.ts';

/** How to connect clients, as a person reads it: without a key first, where the client can and we let it. */
export function connectText({ lines, signInOff }: RequestResult<'connectLines'>): readonly string[] {
  return [
    ...lines.flatMap(({ client, text, withoutKey }) => {
      const withKey = text.split('\n').map((line) => `  ${line}`);
      if (withoutKey === null || signInOff !== null) return ['', `${client}:`, ...withKey];
      const without = withoutKey.split('\n').map((line) => `  ${line}`);
      return ['', `${client}:`, ...without, `${client}, with a key:`, ...withKey];
    }),
    '',
    signInOff ??
      'Without a key, the client opens your browser and Gatehouse asks you (docs/client-sign-in.md). <key> is what keys create prints.',
  ];
}
