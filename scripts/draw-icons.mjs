#!/usr/bin/env node
/**
 * Draws assets/*.png: a gateway with a grating drawn up half way. Shapes are sampled by distance, 4x4 per pixel,
 * and written as PNG by hand, so that the icons can be changed without any drawing program or dependency.
 * Usage: node scripts/draw-icons.mjs
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { crc32, deflateSync } from 'node:zlib';

const ASSETS = new URL('../assets/', import.meta.url);

const INK = [31, 41, 55];
const PAPER = [250, 250, 249];
const AMBER = [245, 158, 11];
const RED = [220, 38, 38];
const SLATE = [71, 85, 105];
const BLACK = [0, 0, 0];

/** Inside an upright arch of half width `w` that stands on y = 0.88 and whose round top is centred on y = 0.46. */
const arch = (x, y, w) => y <= 0.88 && (y >= 0.46 ? Math.abs(x - 0.5) <= w : Math.hypot(x - 0.5, y - 0.46) <= w);

const rounded = (x, y, inset, radius) => {
  const dx = Math.max(Math.abs(x - 0.5) - (0.5 - inset - radius), 0);
  const dy = Math.max(Math.abs(y - 0.5) - (0.5 - inset - radius), 0);
  return Math.hypot(dx, dy) <= radius;
};

/** The mark itself: a gateway, and in it a grating drawn up half way. */
const gate = (x, y) => {
  if (!arch(x, y, 0.36)) return false;
  if (!arch(x, y, 0.265)) return true;
  const crossbar = y > 0.46 && y < 0.52;
  const bar = y < 0.66 && [0.365, 0.5, 0.635].some((at) => Math.abs(x - at) < 0.032);
  return bar || crossbar;
};

const dot = (x, y, r) => Math.hypot(x - 0.79, y - 0.21) <= r;

/** Colour and opacity at a point; null is nothing. */
const appIcon = (x, y) => {
  if (!rounded(x, y, 0.03, 0.2)) return null;
  const [sx, sy] = [(x - 0.5) * 1.3 + 0.5, (y - 0.52) * 1.3 + 0.52];
  return gate(sx, sy) ? PAPER : INK;
};
const tray = (ink, badge) => (x, y) => {
  if (badge !== null && dot(x, y, 0.2)) return badge;
  if (badge !== null && dot(x, y, 0.27)) return null;
  if (ink === null) return rounded(x, y, 0, 0.22) ? (gate(x, y) ? PAPER : INK) : null;
  return gate(x, y) ? ink : null;
};

/** The badge of a pause: two bars, cut out where the icon has no ground of its own. */
const paused = (ink) => (x, y) => {
  const bar = Math.abs(y - 0.21) < 0.11 && Math.abs(Math.abs(x - 0.79) - 0.065) < 0.035;
  if (bar) return ink === null ? PAPER : null;
  return tray(ink, ink ?? SLATE)(x, y);
};

mkdirSync(ASSETS, { recursive: true });
write('icon.png', 512, appIcon);
for (const [scale, suffix] of [
  [1, ''],
  [2, '@2x'],
]) {
  // Panels are dark or light and do not say which: the Linux and Windows icons bring their own ground.
  write(`tray${suffix}.png`, 22 * scale, tray(null, null));
  write(`tray-waiting${suffix}.png`, 22 * scale, tray(null, AMBER));
  write(`tray-error${suffix}.png`, 22 * scale, tray(null, RED));
  write(`tray-paused${suffix}.png`, 22 * scale, paused(null));
  // macOS colours a template image itself and reads its opacity only.
  write(`trayTemplate${suffix}.png`, 22 * scale, tray(BLACK, null));
  write(`tray-waitingTemplate${suffix}.png`, 22 * scale, tray(BLACK, BLACK));
  write(`tray-errorTemplate${suffix}.png`, 22 * scale, tray(BLACK, BLACK));
  write(`tray-pausedTemplate${suffix}.png`, 22 * scale, paused(BLACK));
}

function write(name, size, colourAt) {
  const SAMPLES = 4;
  const rows = Buffer.alloc(size * (1 + size * 4));
  for (let py = 0; py < size; py += 1) {
    for (let px = 0; px < size; px += 1) {
      const sum = [0, 0, 0, 0];
      for (let i = 0; i < SAMPLES * SAMPLES; i += 1) {
        const x = (px + ((i % SAMPLES) + 0.5) / SAMPLES) / size;
        const y = (py + (Math.floor(i / SAMPLES) + 0.5) / SAMPLES) / size;
        const colour = colourAt(x, y);
        if (colour === null) continue;
        colour.forEach((value, channel) => {
          sum[channel] += value;
        });
        sum[3] += 1;
      }
      const at = py * (1 + size * 4) + 1 + px * 4;
      for (let channel = 0; channel < 3; channel += 1)
        rows[at + channel] = sum[3] === 0 ? 0 : Math.round(sum[channel] / sum[3]);
      rows[at + 3] = Math.round((sum[3] / (SAMPLES * SAMPLES)) * 255);
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  // 8 bits per channel, RGBA.
  header.set([8, 6, 0, 0, 0], 8);
  writeFileSync(
    new URL(name, ASSETS),
    Buffer.concat([
      Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
      chunk('IHDR', header),
      chunk('IDAT', deflateSync(rows, { level: 9 })),
      chunk('IEND', Buffer.alloc(0)),
    ]),
  );
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}
