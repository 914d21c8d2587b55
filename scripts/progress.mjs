import { spawn } from 'node:child_process';

/** One line to the person. Standard output belongs to results. */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

/** Says what is wrong and what to do, and ends with exit code 1. */
export function fail(message) {
  say(`gatehouse: ${message}`);
  process.exit(1);
}

/** Runs a program with its output on stderr, says how it goes, and ends everything when it fails. */
export async function during(what, program, args, options = {}) {
  const code = await watched(what, program, args, options);
  if (code !== 0) fail(`${what} failed (${ending(code)}). The lines above say why; mend it and run npm run setup.`);
}

/**
 * Runs a program with its output on stderr and says every 15 s that it still does. Resolves with the exit code, a
 * signal's name, the error that kept it from starting, or `'time limit'`.
 */
export function watched(what, program, args, { env = process.env, cwd, limitMs, stderr = 2 } = {}) {
  say(`${what} …`);
  const began = performance.now();
  const seconds = () => `${((performance.now() - began) / 1000).toFixed(1)} s`;
  return new Promise((done) => {
    // npm is a script of the shell on Windows.
    const shell = process.platform === 'win32' && program === 'npm';
    const child = spawn(program, args, { env, cwd, shell, stdio: ['ignore', 2, stderr] });
    const beat = setInterval(() => say(`${what} … ${seconds()}`), 15_000);
    let late = false;
    const limit =
      limitMs === undefined
        ? undefined
        : setTimeout(() => {
            late = true;
            child.kill('SIGKILL');
          }, limitMs);
    const end = (result) => {
      clearInterval(beat);
      clearTimeout(limit);
      if (result === 0) say(`${what}: done in ${seconds()}`);
      done(late ? 'time limit' : result);
    };
    child.on('error', (error) => end(error.message));
    child.on('exit', (code, signal) => end(signal ?? code ?? 1));
  });
}

const ending = (result) => (typeof result === 'number' ? `exit code ${result}` : result);
