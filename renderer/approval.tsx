import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { openBridge } from './bridge.ts';
import { BridgeContext } from './live.ts';
import { ApprovalWindow } from './screens/approval-window.tsx';
import './styles.css';

const opened = await openBridge();
createRoot(document.getElementById('root')!).render(
  <StrictMode>
    {opened.kind === 'open' ? (
      <BridgeContext value={opened.connection.bridge}>
        <ApprovalWindow />
      </BridgeContext>
    ) : (
      <p>This page belongs to the desktop app.</p>
    )}
  </StrictMode>,
);
