import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { openBridge } from './bridge.ts';
import { SignedOut } from './screens/signed-out.tsx';
import './styles.css';

// A link pasted into an open tab changes only the fragment, which loads nothing by itself.
window.addEventListener('hashchange', () => {
  if (window.location.hash.startsWith('#sign-in=')) window.location.reload();
});

const root = createRoot(document.getElementById('root')!);
const opened = await openBridge();
root.render(
  <StrictMode>
    {opened.kind === 'open' ? <App connection={opened.connection} /> : <SignedOut message={opened.message} />}
  </StrictMode>,
);
