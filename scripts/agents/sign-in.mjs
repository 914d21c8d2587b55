import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createHome } from './agents.mjs';
import { startModel } from './model.mjs';

/**
 * One program signs in with nothing but the address: its own commands, a browser that opens what it opens, and a person who
 * says yes in the dashboard. `start` runs a program of a home; the line that is returned says what was seen.
 */
export async function signIn(agent, { folder, modules, gatehouse, person, start }) {
  const { endpoint } = gatehouse;
  const model = await startModel([{ tool: 'find_tools', input: { query: 'write a file' } }], ([found = '']) =>
    found.includes('write_file') ? 'Found write_file.' : 'Found nothing.',
  );
  try {
    const connection = { endpoint, model: model.url, key: '' };
    const signing = { ...agent, client: `${agent.client}-sign-in`, setUp: agent.signIn.setUp };
    const home = createHome(signing, { folder, modules, connection });
    const opened = browserOf(home);
    const text = (command) => (typeof command === 'function' ? command({ endpoint }) : command);
    for (const line of home.setUp) await succeeds(start(['sh', '-c', line], home), line);
    const before = await signIns(gatehouse);

    // Some ask for a terminal; all of them get one.
    const login = start(['script', '-qfec', text(agent.signIn.login), '/dev/null'], home);
    const address = await Promise.race([opened(() => login.said()), login.ended.then(() => null)]);
    if (address === null) throw new Error(`it opened no browser: ${tail(login.said())}`);
    const tab = await person.visit(address);
    expect((await tab.text()).includes('Gatehouse is asking you'), 'the browser shows something else');
    await person.confirm(/wants to connect to workspace Personal$/);
    const returned = new URL(await tab.arrives(/callback/));
    expect(returned.searchParams.has('code'), `it got no code: ${returned.search}`);
    await login.ended;
    await tab.close();

    const [look, seen] = agent.signIn.look;
    const { said } = await start(['sh', '-c', text(look)], home).ended;
    expect(said.includes(seen), `'${text(look)}' says: ${tail(said)}`);
    if (agent.run !== undefined) {
      const worked = await start(agent.run('Find a tool that writes a file.'), home).ended;
      expect(worked.said.includes('Found write_file.'), `it found no tools: ${tail(worked.said)}`);
    }
    const made = (await signIns(gatehouse)).filter(({ id }) => !before.some((one) => one.id === id));
    expect(made.length === 1 && made[0].lastUsedAt !== null, `${made.length} sign-ins were made`);
    const ended = await signsOut(agent, home, gatehouse, made[0], { start });
    return `${agent.name} ${home.version}: signed in as "${made[0].client}" without a key, ${ended}.`;
  } finally {
    await model.stop();
  }
}

/** By its own command where it has one that tells us; else the person revokes it. */
async function signsOut({ signIn: { logout } }, home, gatehouse, { id, prefix }, { start }) {
  const isOver = async () => (await signIns(gatehouse)).some((one) => one.id === id && one.revokedAt !== null);
  if (logout !== null) await start(['script', '-qfec', logout, '/dev/null'], home).ended;
  if (await isOver()) return 'and signed out by itself';
  await gatehouse.cli(['keys', 'revoke', prefix]);
  expect(await isOver(), 'revoking did nothing');
  return 'and was revoked';
}

async function signIns(gatehouse) {
  const keys = JSON.parse((await gatehouse.cli(['keys', 'list', '--json'])).stdout);
  return keys.filter(({ signedIn }) => signedIn);
}

/** Programs that would open a browser run what stands first in PATH; some only print the address. */
function browserOf({ env }) {
  const [bin] = env.PATH.split(':');
  const note = join(bin, 'opened');
  mkdirSync(bin, { recursive: true });
  for (const name of ['xdg-open', 'sensible-browser', 'www-browser'])
    writeFileSync(join(bin, name), `#!/bin/sh\nprintf '%s\\n' "$1" >> '${note}'\n`, { mode: 0o755 });
  return async (said) => {
    for (let tries = 0; tries < 200; tries += 1) {
      if (existsSync(note)) return readFileSync(note, 'utf8').split('\n')[0];
      const printed = ADDRESS.exec(said())?.[0];
      if (printed !== undefined) return printed;
      await pause(200);
    }
    return null;
  };
}

/** Whole, with what comes behind it: a terminal wraps a link in control characters. */
const ADDRESS = /http:\/\/127\.0\.0\.1:\d+\/oauth\/authorize\?[^\s\x07\x1b]+(?=[\s\x07\x1b])/;

async function succeeds({ ended }, line) {
  const { code, said } = await ended;
  expect(code === 0, `'${line}' ended with ${code}: ${tail(said)}`);
}

function tail(text) {
  return text.trim().slice(-600);
}

function expect(holds, otherwise) {
  if (!holds) throw new Error(otherwise);
}
