/** What the command line of the desktop app asks for. */
export type Launch =
  /** A command of the command line: nothing is shown. `argv` begins with the command. */
  | { readonly kind: 'cli'; readonly argv: readonly string[] }
  | {
      readonly kind: 'app';
      readonly port: number;
      /** As typed; null: the usual one. */
      readonly data: string | null;
      /** One JSON line on stdout when ready. */
      readonly json: boolean;
      /** Started at login: no window is opened. */
      readonly hidden: boolean;
      /** A `gatehouse://` link that the app was opened with. Untrusted. */
      readonly link: string | null;
    }
  | { readonly kind: 'fault'; readonly message: string };

export const DEFAULT_PORT = 3100;

/**
 * Reads `process.argv`. A packaged app is followed by its arguments; in development the first argument that is no switch
 * is the folder that Electron runs. Switches we do not know belong to Chromium.
 */
export function readLaunch(argv: readonly string[], packaged: boolean): Launch {
  const args = packaged ? argv.slice(1) : withoutAppFolder(argv.slice(1));
  const first = args[0];
  if (first !== undefined && (!first.startsWith('-') || first === '--help' || first === '-h') && !isLink(first)) {
    return { kind: 'cli', argv: args };
  }

  const port = optionValue(args, '--port');
  if (port !== null && !(/^\d{1,5}$/.test(port) && Number(port) <= 65_535)) {
    return { kind: 'fault', message: `--port takes a number from 0 to 65535, not '${port}'.` };
  }
  const data = optionValue(args, '--data');
  if (data === '') return { kind: 'fault', message: '--data takes the folder to keep everything in.' };
  return {
    kind: 'app',
    port: port === null ? DEFAULT_PORT : Number(port),
    data,
    json: args.includes('--json'),
    hidden: args.includes('--hidden'),
    link: args.find(isLink) ?? null,
  };
}

/** The link in the arguments that a second start handed over. */
export const linkIn = (argv: readonly string[]): string | null => argv.find(isLink) ?? null;

const isLink = (arg: string): boolean => arg.startsWith('gatehouse:');

function withoutAppFolder(args: readonly string[]): readonly string[] {
  const folder = args.findIndex((arg) => !arg.startsWith('-'));
  return folder === -1 ? args : args.toSpliced(folder, 1);
}

/** The value of `--name value` or `--name=value`; `''` when the value is missing, null when the option is. */
function optionValue(args: readonly string[], name: string): string | null {
  const inline = args.find((arg) => arg.startsWith(`${name}=`));
  if (inline !== undefined) return inline.slice(name.length + 1);
  const at = args.indexOf(name);
  return at === -1 ? null : (args[at + 1] ?? '');
}
