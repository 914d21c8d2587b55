import type { BrowserWindow } from 'electron';

/** Leads a window to one of our pages. */
export function loadPage(window: BrowserWindow, url: string): void {
  window.loadURL(url).catch(() => {
    // The pages come from our own bundle. What ends a load early is a newer address, or the window being closed, and
    // neither leaves anything to do.
  });
}
