import type { IncomingMessage, ServerResponse } from 'node:http';
import { text as bodyOf } from 'node:stream/consumers';
import type { Provider } from 'oidc-provider';
import { consentPage, signInPage } from './pages.ts';

/** Shows the page that the provider wants a person to see, or takes in what they answered there (`step`). */
export async function interact(
  provider: Provider,
  prefix: string,
  step: string | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { uid, prompt, params, session, grantId } = await provider.interactionDetails(request, response);
  const clientId = String(params.client_id);
  if (step === undefined) {
    const client = await provider.Client.find(clientId);
    const action = `${prefix}/interaction/${uid}/${prompt.name}`;
    const scopes = String(params.scope ?? '')
      .split(' ')
      .filter(Boolean);
    const page =
      prompt.name === 'login'
        ? signInPage(action)
        : consentPage({ action, client: client?.clientName ?? clientId, account: session?.accountId ?? '', scopes });
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' }).end(page);
    return;
  }
  const form = new URLSearchParams(await bodyOf(request));
  if (step === 'login') {
    const result = { login: { accountId: form.get('account') ?? '' } };
    return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  }
  if (form.get('answer') !== 'allow') {
    const result = { error: 'access_denied', error_description: 'The person said no' };
    return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  }
  const existing = grantId === undefined ? undefined : await provider.Grant.find(grantId);
  const grant = existing ?? new provider.Grant({ accountId: session?.accountId ?? '', clientId });
  const missing = prompt.details as {
    readonly missingOIDCScope?: readonly string[];
    readonly missingResourceScopes?: Readonly<Record<string, readonly string[]>>;
  };
  if (missing.missingOIDCScope) grant.addOIDCScope(missing.missingOIDCScope.join(' '));
  for (const [indicator, scopes] of Object.entries(missing.missingResourceScopes ?? {})) {
    grant.addResourceScope(indicator, scopes.join(' '));
  }
  const result = { consent: { grantId: await grant.save() } };
  return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
}
