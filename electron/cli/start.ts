import { findDataFolder, thisMachine } from '../core/control/data-folder.ts';
import type { Call, Command } from './command.ts';
import { visible } from './untrusted.ts';

/** How to start, from options and environment. */
export interface StartSettings {
  readonly headless: boolean;
  /** 0 takes any free port. */
  readonly port: number;
  readonly dataFolder: string;
  /** One JSON line on stdout when ready, everything else on stderr. */
  readonly json: boolean;
  readonly unattended: boolean;
}

/** The port that clients are told to use, as in the systems that users come from. */
const DEFAULT_PORT = 3100;

/** Options win over GATEHOUSE_PORT, GATEHOUSE_DATA and GATEHOUSE_UNATTENDED; a string says what is wrong. */
export function readStartSettings(call: Pick<Call, 'text' | 'flag' | 'env' | 'cwd'>): StartSettings | string {
  const { env, cwd } = call;
  const asked = call.text('port');
  const portText = asked ?? (env.GATEHOUSE_PORT || String(DEFAULT_PORT));
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : 65_536;
  if (port > 65_535) {
    const where = asked === null ? 'GATEHOUSE_PORT' : '--port';
    return `${where} is '${visible(portText)}'; it must be a number from 0 (any free port) to 65535.`;
  }
  const data = findDataFolder(call.text('data'), { ...thisMachine(), env, cwd });
  if (data.kind === 'fault') return data.message;
  return {
    headless: call.flag('headless'),
    port,
    dataFolder: data.folder,
    json: call.flag('json'),
    unattended: env.GATEHOUSE_UNATTENDED === '1',
  };
}

export const start: Command = {
  words: ['start'],
  summary: 'start Gatehouse without a window and stay until Ctrl-C',
  options: {
    headless: { type: 'boolean', help: 'without a window, also where a desktop is there' },
    port: { type: 'string', value: 'N', help: 'the port of the MCP endpoint; 0 takes any; else 3100' },
    json: { type: 'boolean', help: 'one JSON line on stdout when ready: endpoint, dashboard, health, pid' },
  },
  async run(call) {
    const settings = readStartSettings(call);
    if (typeof settings === 'string') {
      call.terminal.say(`gatehouse: ${settings}`);
      return 1;
    }
    const { runHeadless } = await import('../headless.ts');
    const asked = settings.headless ? '--headless was given' : 'gatehouse start opens no window';
    return runHeadless(settings, { ...call.terminal, why: asked });
  },
};
