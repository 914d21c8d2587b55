import type { Procedure } from './attempt.ts';
import { type ByBrowser, signInByBrowser } from './by-browser.ts';
import { signInByItself } from './by-itself.ts';
import { signInByKey } from './by-key.ts';

/** The steps of each mode of signing in. */
export function createProcedure(parts: ByBrowser): Procedure {
  const [byKey, byBrowser, byItself] = [signInByKey(parts), signInByBrowser(parts), signInByItself(parts)];
  return (attempt) => {
    switch (attempt.upstream.signIn.kind) {
      case 'none':
      case 'mcp_oauth':
      case 'oauth':
        return byBrowser(attempt);
      case 'api_key':
        return byKey(attempt);
      case 'client_credentials':
        return byItself(attempt);
    }
  };
}
