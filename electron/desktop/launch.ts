/** What the command line of the desktop app asks for. */
export type Launch =
  /** A command of the command line: nothing is shown. `argv` begins with the command. */
  { readonly kind: 'cli'; readonly argv: readonly string[] } | AppLaunch;

export interface AppLaunch {
  readonly kind: 'app';
  /** The value of `--name value` or `--name=value`; `''` when it is missing, null when the option is. */
  text(option: string): string | null;
  flag(option: string): boolean;
  /** Started at login: no window is opened. */
  readonly hidden: boolean;
  /** A `gatehouse://` link that the app was opened with. Untrusted. */
  readonly link: string | null;
}

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
  return {
    kind: 'app',
    text(option) {
      const inline = args.find((arg) => arg.startsWith(`--${option}=`));
      if (inline !== undefined) return inline.slice(option.length + 3);
      const at = args.indexOf(`--${option}`);
      return at === -1 ? null : (args[at + 1] ?? '');
    },
    flag: (option) => args.includes(`--${option}`),
    hidden: args.includes('--hidden'),
    link: linkIn(args),
  };
}

/** The link in the arguments that a start handed over. */
export const linkIn = (argv: readonly string[]): string | null => argv.find(isLink) ?? null;

const isLink = (arg: string): boolean => arg.startsWith('gatehouse:');

function withoutAppFolder(args: readonly string[]): readonly string[] {
  const folder = args.findIndex((arg) => !arg.startsWith('-'));
  return folder === -1 ? args : args.toSpliced(folder, 1);
}
