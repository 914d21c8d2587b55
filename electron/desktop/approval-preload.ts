import { contextBridge } from 'electron';
import type { Bridge } from '../../shared/api.ts';
import { createBridge } from './bridge.ts';
import { APPROVAL_CHANNELS } from './channels.ts';

/** The approval window's only door: `window.gatehouse`. Its answers count only after a real press (answer-gate.ts). */
contextBridge.exposeInMainWorld('gatehouse', createBridge('approval-window', APPROVAL_CHANNELS) as Bridge);
