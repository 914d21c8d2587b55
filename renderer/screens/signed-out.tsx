/** All that a browser without a sign-in is shown. */
export function SignedOut({ message }: { readonly message: string | null }) {
  return (
    <main className="signed-out">
      <div className="card">
        <span className="brand-mark large" aria-hidden="true" />
        <h1>Gatehouse</h1>
        {message !== null && <p className="problem">{message}</p>}
        <p>This page opens with a one-time link. On the machine where Gatehouse runs, type:</p>
        <pre className="exact">gatehouse dashboard</pre>
        <p className="quiet">
          Then open the link it prints. A link works once, within ten minutes. Each tab signs in by itself: if Gatehouse
          is open in another tab, go there.
        </p>
      </div>
    </main>
  );
}
