import type { Procedure } from './attempt.ts';
import { type ByBrowser, signInByBrowser } from './by-browser.ts';
import { signInByItself } from './by-itself.ts';
import { signInByKey } from './by-key.ts';
import { fault } from './faults.ts';

/** The steps of each mode of signing in. */
export function createProcedure(parts: ByBrowser): Procedure {
  const [byKey, byBrowser, byItself] = [signInByKey(parts), signInByBrowser(parts), signInByItself(parts)];
  return async (attempt) => {
    const vault = await parts.vault.state();
    if (vault.kind !== 'ready') {
      // Said before the person goes to the vendor: what it would give could not be kept.
      const found = fault('secret_unavailable', { upstream: attempt.upstream.name, detail: vault.reason });
      attempt.trace.step({ name: 'check', outcome: 'failed', message: found.message });
      return found;
    }
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
