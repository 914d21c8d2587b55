import { contextBridge, ipcRenderer } from 'electron';
import type { Bridge } from '../shared/api.ts';
import { createBridge } from './desktop/bridge.ts';
import { MAIN_CHANNELS } from './desktop/channels.ts';

/** The main window's only door: `window.gatehouse`. Built as one CommonJS file, as the sandbox demands. */
const gatehouse = {
  ...createBridge('main-window', MAIN_CHANNELS),
  review: (what: { readonly approval?: string; readonly confirmation?: string }) => {
    ipcRenderer.send(MAIN_CHANNELS.review, { approval: what.approval, confirmation: what.confirmation });
  },
};

contextBridge.exposeInMainWorld('gatehouse', gatehouse as Bridge);
