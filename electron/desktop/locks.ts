import type { Session, WebContents, WebPreferences } from 'electron';
import { PAGE_ORIGIN } from './page-protocol.ts';

/** What every window of ours is made with. Its own preload is the only thing a window adds. */
export function lockedPreferences(preload: string, packaged: boolean, session: Session): WebPreferences {
  return {
    preload,
    session,
    // SECURITY: the page runs in Chromium's sandbox, without Node, in a world apart from the preload (security.md L1).
    sandbox: true,
    contextIsolation: true,
    nodeIntegration: false,
    nodeIntegrationInWorker: false,
    nodeIntegrationInSubFrames: false,
    // SECURITY: same-origin policy stays on, no mixed content, no half-finished Chromium features.
    webSecurity: true,
    allowRunningInsecureContent: false,
    experimentalFeatures: false,
    // SECURITY: no page inside the page, and a dropped file or link opens nothing.
    webviewTag: false,
    navigateOnDragDrop: false,
    // SECURITY: no developer tools in a packaged app: they would press Approve for whoever opens them (L16).
    devTools: !packaged,
    // The dictionary would be fetched from a server of Google.
    spellcheck: false,
    // A card that loads must not take the keyboard from the program the person types in.
    focusOnNavigation: false,
  };
}

/** Locks of every webContents that ever comes to be, ours or not; for `app.on('web-contents-created')`. */
export function lockContents(contents: WebContents): void {
  // SECURITY: a page of ours never leaves its place: links, forms, scripts and redirects lead nowhere (K5).
  contents.on('will-navigate', (event) => event.preventDefault());
  contents.on('will-frame-navigate', (event) => event.preventDefault());
  contents.on('will-redirect', (event) => event.preventDefault());
  // SECURITY: no second window, whatever asks for one.
  contents.setWindowOpenHandler(() => ({ action: 'deny' }));
  // SECURITY: no embedded guest page.
  contents.on('will-attach-webview', (event) => event.preventDefault());
}

/** Locks of the session that our pages live in. */
export function lockSession(session: Session): void {
  // SECURITY: no page of ours needs a permission, so every kind is denied, asked for or looked up (L12).
  session.setPermissionRequestHandler((_contents, _permission, answer) => answer(false));
  session.setPermissionCheckHandler(() => false);
  session.setDevicePermissionHandler(() => false);
  session.setDisplayMediaRequestHandler((_request, answer) => answer({}));
  // SECURITY: nothing is fetched from anywhere but the bundle, even if the CSP were lost.
  session.webRequest.onBeforeRequest((request, answer) => {
    answer({ cancel: !isOurs(request.url) });
  });
  session.on('will-download', (event) => event.preventDefault());
}

const isOurs = (url: string): boolean => url.startsWith(`${PAGE_ORIGIN}/`) || url.startsWith('devtools://');
