import packageJson from '../../package.json' with { type: 'json' };
import { findDataFolder, thisMachine } from '../core/control/data-folder.ts';
import { accountCommands } from './accounts.ts';
import { approvalCommands } from './approvals.ts';
import { auditCommands } from './audit.ts';
import { auditRecordCommands } from './audit-records.ts';
import { auditRetentionCommands } from './audit-retention.ts';
import { clientCommands } from './clients.ts';
import type { Call, Command } from './command.ts';
import { connect } from './connect.ts';
import { type Door, openDoor, openRunningDoor } from './door.ts';
import { figureCommands } from './figures.ts';
import { helpOf, listOf } from './help.ts';
import { keyCommands } from './keys.ts';
import { findCommand, type Parsed, parseCommand } from './parse.ts';
import { pauseCommands } from './pauses.ts';
import { openCoreForCommand } from './plain-platform.ts';
import { policyCommands } from './policy.ts';
import { policyCheckCommands } from './policy-check.ts';
import { policyReplayCommands } from './policy-replay.ts';
import { policyShadowCommands } from './policy-shadow.ts';
import { policySuggestionCommands } from './policy-suggestions.ts';
import { toolsReview, upstreamsReview } from './review.ts';
import { secretsBeginAnew } from './secrets.ts';
import { signInMode } from './sign-in-mode.ts';
import { sinkCommands } from './sinks.ts';
import { start } from './start.ts';
import { statusCommands } from './status.ts';
import { stdio } from './stdio.ts';
import { createTerminal, type Streams, type Terminal } from './terminal.ts';
import { toolCommands } from './tools.ts';
import { trustCommands } from './trusts.ts';
import { visible } from './untrusted.ts';
import { upstreamCommands } from './upstreams.ts';
import { workspaceCommands } from './workspaces.ts';

/** What a command line runs in: the process's own, or a test's. */
export interface CliIo extends Streams {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** Everything `gatehouse` can do, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  start,
  ...statusCommands,
  ...pauseCommands,
  ...trustCommands,
  ...keyCommands,
  ...clientCommands,
  ...workspaceCommands,
  ...upstreamCommands,
  signInMode,
  connect,
  ...accountCommands,
  upstreamsReview,
  toolsReview,
  ...toolCommands,
  ...policyCommands,
  ...policyCheckCommands,
  ...policyReplayCommands,
  ...policyShadowCommands,
  ...policySuggestionCommands,
  ...approvalCommands,
  ...auditCommands,
  ...auditRecordCommands,
  ...figureCommands,
  ...auditRetentionCommands,
  ...sinkCommands,
  secretsBeginAnew,
  stdio,
];

/** True when an installed app was started as the command line: its first argument is a command or asks for help. */
export function isCommandLine(argv: readonly string[]): boolean {
  const [first] = argv;
  return (
    ['help', '--help', '-h', '--version', '-v'].includes(first ?? '') ||
    COMMANDS.some(({ words }) => words[0] === first)
  );
}

/** The streams, environment and folder of this process. */
function processIo(): CliIo {
  const { stdin, stdout, stderr, env } = process;
  return { stdin, stdout, stderr, env, cwd: process.cwd() };
}

/** Runs one command line (without program and script) and returns its exit code. */
export async function runCli(argv: readonly string[], io: CliIo = processIo()): Promise<number> {
  const terminal = createTerminal(io);
  const fail = (message: string) => {
    terminal.say(`gatehouse: ${visible(message)}`);
    return 1;
  };
  if (argv[0] === '--version' || argv[0] === '-v') {
    terminal.print(`Gatehouse ${packageJson.version}`);
    return 0;
  }
  const found = findCommand(COMMANDS, argv);
  if (found.kind === 'fault') return fail(found.message);
  if (found.kind === 'group') {
    const list = listOf(COMMANDS, found.group);
    if (found.asked) terminal.print(list);
    else terminal.say(list);
    return found.asked ? 0 : 1;
  }
  const parsed = parseCommand(found.command, found.rest);
  if (parsed.kind === 'fault') return fail(parsed.message);
  if (parsed.flag('help')) {
    terminal.print(helpOf(found.command));
    return 0;
  }
  const doors: Door[] = [];
  try {
    return await found.command.run(callOf(parsed, io, terminal, doors));
  } finally {
    for (const door of doors) await door.close();
    terminal.close();
  }
}

function callOf(parsed: Parsed, io: CliIo, terminal: Terminal, doors: Door[]): Call {
  return {
    ...parsed,
    terminal,
    stdin: io.stdin,
    stdout: io.stdout,
    env: io.env,
    cwd: io.cwd,
    async door() {
      const data = findDataFolder(parsed.text('data'), { ...thisMachine(), env: io.env, cwd: io.cwd });
      if (data.kind === 'fault') {
        terminal.say(`gatehouse: ${data.message}`);
        return null;
      }
      const door = await openDoor(data.folder, terminal, (folder) => openCoreForCommand(folder, packageJson.version));
      if (door) doors.push(door);
      return door;
    },
    async runningDoor() {
      const data = findDataFolder(parsed.text('data'), { ...thisMachine(), env: io.env, cwd: io.cwd });
      const door = data.kind === 'fault' ? null : await openRunningDoor(data.folder, terminal);
      if (door) doors.push(door);
      return door;
    },
  };
}

if (import.meta.main) {
  // `gatehouse audit tail | head` ends when head has enough.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });
  process.exitCode = await runCli(process.argv.slice(2));
}
