import { type Browser, chromium } from 'playwright-core';

/** Debian's own Chromium; root needs to go without its sandbox. */
export function launchChromium(more: readonly string[] = []): Promise<Browser> {
  const args = [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), ...more];
  return chromium.launch({ executablePath: process.env.GATEHOUSE_CHROMIUM ?? '/usr/bin/chromium', args });
}
