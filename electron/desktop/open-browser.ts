import { shell } from 'electron';
import { refuseAddress } from '../core/connections/outbound.ts';

/** The one place that opens anything outside of Gatehouse, after a click: a page of a vendor, in the person's browser. */
export async function openBrowser(address: string): Promise<boolean> {
  // SECURITY: whatever else was checked on the way, no scheme but https starts a program here (K1).
  if (refuseAddress(address, 'the vendor') !== null) return false;
  try {
    await shell.openExternal(new URL(address).href);
    return true;
  } catch {
    // The system has no browser, or does not say which: the link is shown beside the button.
    return false;
  }
}
