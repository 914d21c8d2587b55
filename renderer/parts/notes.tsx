import type { ReactNode } from 'react';

/** What an empty screen says: what this is for and what to do next. */
export function Empty({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <div className="empty">
      <h3>{title}</h3>
      <div className="empty-text">{children}</div>
    </div>
  );
}

/** Why something did not happen. */
export function Problem({ message }: { readonly message: string | null }) {
  if (message === null) return null;
  return (
    <p className="problem" role="alert">
      {message}
    </p>
  );
}
