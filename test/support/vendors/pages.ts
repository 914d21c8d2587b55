/** The two pages of a vendor that a person meets: who are you, and may this program. Plain forms, without a script. */

export function signInPage(action: string): string {
  return page(
    'Sign in',
    `<form method="post" action="${escaped(action)}">
      <label>Account <input name="account" autocomplete="off" required autofocus></label>
      <button type="submit">Sign in</button>
    </form>`,
  );
}

export interface Consent {
  readonly action: string;
  readonly client: string;
  readonly account: string;
  readonly scopes: readonly string[];
}

export function consentPage({ action, client, account, scopes }: Consent): string {
  return page(
    `Allow ${client}?`,
    `<p>You are <strong>${escaped(account)}</strong>.</p>
    <ul>${scopes.map((scope) => `<li>${escaped(scope)}</li>`).join('')}</ul>
    <form method="post" action="${escaped(action)}">
      <button type="submit" name="answer" value="allow">Allow</button>
      <button type="submit" name="answer" value="deny">Deny</button>
    </form>`,
  );
}

export function faultPage(text: string): string {
  return page('This did not work', `<p>${escaped(text)}</p>`);
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
  <head><meta charset="utf-8"><link rel="icon" href="data:,"><title>${escaped(title)}</title></head>
  <body><h1>${escaped(title)}</h1>${body}</body>
</html>
`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
