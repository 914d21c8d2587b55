import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { getElectron, whyNoDesktop } from './electron-runtime.mjs';
import { ROOT, underNode24 } from './node24.mjs';
import { fail, say } from './progress.mjs';
import { setUp } from './setup.mjs';

/*
 * `npm start`: sets everything up, then starts the tray app where there is a desktop, else the same program without a
 * window, and says which and why.
 */
await underNode24();

// These three load nothing but Node's own modules, so a mistyped option is told before anything is installed.
const { parseCommand } = await import('../electron/cli/parse.ts');
const { start, readStartSettings } = await import('../electron/cli/start.ts');
const { helpOf } = await import('../electron/cli/help.ts');

const parsed = parseCommand(start, process.argv.slice(2));
if (parsed.kind === 'fault') fail(parsed.message);
if (parsed.flag('help')) {
  process.stdout.write(`${helpOf(start).replace('gatehouse start', 'npm start --')}\n`);
  process.exit(0);
}
const settings = readStartSettings({ ...parsed, env: process.env, cwd: process.cwd() });
if (typeof settings === 'string') fail(settings);

await setUp();
const desktop = await chooseDesktop();
const code = desktop.kind === 'found' ? await runDesktop(desktop.program) : await runHeadless(desktop.why);
process.exitCode = code;
// Whatever still holds the loop open has had its time to close.
setTimeout(() => process.exit(), 3_000).unref();

async function chooseDesktop() {
  if (settings.headless) return { kind: 'none', why: '--headless was given' };
  const why = whyNoDesktop();
  return why === null ? getElectron() : { kind: 'none', why };
}

async function runHeadless(why) {
  const built = await import('../out/main/headless.js');
  return built.runHeadless(settings, { print, say, why });
}

/** Runs the tray app until it is quit; without a window where Electron itself does not come up. */
async function runDesktop(program) {
  say('Gatehouse runs in the tray: this machine has a desktop session.');
  const args = [
    '.',
    '--port',
    String(settings.port),
    '--data',
    settings.dataFolder,
    ...(settings.json ? ['--json'] : []),
  ];
  const child = spawn(program, args, { cwd: ROOT, stdio: ['inherit', 'pipe', 'inherit'] });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  if (process.channel) process.once('disconnect', () => child.kill('SIGTERM'));
  process.channel?.unref();
  let ready = false;
  createInterface({ input: child.stdout }).on('line', async (line) => {
    print(line);
    if (ready) return;
    ready = true;
    if (!settings.json) await printConnectLines();
  });
  const ended = await new Promise((done) => {
    child.on('error', (error) => done(error.message));
    child.on('close', (exitCode, signal) => done(signal ?? exitCode));
  });
  // Faults of ours are exit code 1 and were told; anything else before it was ready is Electron that cannot run here.
  const couldNotRun = !ready && (typeof ended === 'string' || ended > 1);
  if (couldNotRun) return runHeadless(`Electron does not run here (it ended with ${ended})`);
  if (ended === 0 && !ready) say('Gatehouse is running already; its window comes to the front.');
  return typeof ended === 'string' ? 0 : ended;
}

async function printConnectLines() {
  const { runCli } = await import('../out/main/cli.js');
  await runCli(['connect', '--data', settings.dataFolder]);
}

function print(line) {
  process.stdout.write(`${line}\n`);
}
