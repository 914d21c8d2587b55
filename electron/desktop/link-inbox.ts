import { app } from 'electron';

/** `gatehouse://` links that other programs hand over. */
export interface Links {
  /** Hands on the links that came before, and every later one. */
  follow(listener: (link: string) => void): void;
}

/** macOS hands over links as events, the first one possibly before there is a window to show. */
export function collectLinks(first: string | null): Links {
  let listener: ((link: string) => void) | null = null;
  const early = first === null ? [] : [first];
  app.on('open-url', (event, link) => {
    event.preventDefault();
    if (listener === null) early.push(link);
    else listener(link);
  });
  return {
    follow(then) {
      listener = then;
      for (const link of early.splice(0)) then(link);
    },
  };
}
