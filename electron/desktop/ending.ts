import { app, dialog } from 'electron';

/** Why it did not start: one sentence, for whoever looks, and exit code 1. */
export function fail(message: string): void {
  process.stderr.write(`${message}\n`);
  app.whenReady().then(() => {
    dialog.showErrorBox('Gatehouse did not start', message);
    app.exit(1);
  }, crash);
}

/** A fault in Gatehouse itself. Everything that waits is refused by ending, as it is when the machine loses power. */
export function crash(error: unknown): void {
  console.error(error);
  dialog.showErrorBox(
    'Gatehouse has stopped',
    'A fault in Gatehouse itself ended it. Calls that waited were not run. Start it again; the log in its data folder says more.',
  );
  app.exit(1);
}

/** Electron quits only after the core has closed its databases and ended its child processes. */
export function closeBeforeQuit(close: () => Promise<void>): void {
  let state: 'open' | 'closing' | 'closed' = 'open';
  app.on('before-quit', (event) => {
    if (state === 'closed') return;
    event.preventDefault();
    if (state === 'closing') return;
    state = 'closing';
    close()
      .catch(crash)
      .finally(() => {
        state = 'closed';
        app.quit();
      });
  });
}
