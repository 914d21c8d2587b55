/*
 * The command that the official runner starts as "the client" of its mock server. Gatehouse is the client under test, so
 * this adds the mock as an upstream, signs in there where it asks for that, accepts its tools, and then drives a client
 * against Gatehouse that does what the scenario wants. What the runner's mock sees is what Gatehouse sends.
 *
 *   node harness.ts <url of the mock>     with MCP_CONFORMANCE_* of the runner and GATEHOUSE_CONFORMANCE of our script
 *
 * Writes what the client saw on stderr, and as its last line on stdout {"problem":null}, or what did not come back through
 * Gatehouse as it should.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { gatehouse } from './command-line.ts';
import { connect } from './driver.ts';
import { createPerson } from './person.ts';
import { refusalOf, runOf, type Seen } from './scenarios.ts';

const settings = z
  .object({ origin: z.string(), key: z.string(), data: z.string() })
  .parse(JSON.parse(process.env.GATEHOUSE_CONFORMANCE ?? '{}'));
const scenario = process.env.MCP_CONFORMANCE_SCENARIO ?? '';
const version = process.env.MCP_CONFORMANCE_PROTOCOL_VERSION ?? '';
const context: unknown = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}');
const mock = process.argv.at(-1) ?? '';
const upstream = `m${process.pid}-${scenario.replaceAll(/[^a-z0-9]+/g, '-').slice(0, 20)}`.replace(/-$/, '');
const VIEWS = z.array(
  z.looseObject({
    id: z.string(),
    name: z.string(),
    status: z.string(),
    reason: z.string().nullable(),
    needsSignIn: z.boolean(),
  }),
);
const TRIES = 40;
const PAUSE_MS = 250;
/** A refused connection is tried again within a second or two. */
const FAILED_TRIES = 4;
const seen: Seen = (line) => process.stderr.write(`${line}\n`);

let problem: string | null = null;
try {
  // It is added even when its first start failed; whether it comes up is seen below.
  await gatehouse(settings.data, ['upstreams', 'add', upstream, '--url', mock]).catch((error: Error) =>
    seen(error.message),
  );
  await drive();
} catch (error) {
  problem = error instanceof Error ? error.message : String(error);
  process.exitCode = 1;
} finally {
  // The runner waits until nobody is connected to its mock any more.
  await gatehouse(settings.data, ['upstreams', 'remove', upstream]);
}
process.stdout.write(`${JSON.stringify({ problem })}\n`);

async function drive(): Promise<void> {
  let view = await settled();
  seen(`upstream ${upstream}: ${view.status}${view.reason === null ? '' : `: ${view.reason}`}`);
  await using person = await createPerson({ data: settings.data, context, seen });
  while (view.needsSignIn && (await person.signsIn(view.id))) view = await settled();
  const refusal = refusalOf(scenario);
  if (refusal !== null) {
    if (person.lastCode() !== refusal)
      throw new Error(`Gatehouse did not refuse with ${refusal}: ${person.lastCode()}`);
    return;
  }
  if (view.status !== 'ready') throw new Error('Gatehouse cannot use the mock.');
  await gatehouse(settings.data, ['upstreams', 'review', upstream, '--accept', '--yes']);
  const run = runOf(scenario);
  if (run === null) throw new Error(`The harness does not know how to drive ${scenario}.`);
  const driver = await connect(`${settings.origin}/u/${upstream}/mcp`, settings.key, version);
  const signsIn = () => person.signsIn(view.id);
  try {
    await run(driver, { seen, context, known: await knownTools(), signsIn });
  } finally {
    await driver.close();
  }
}

/** The upstream once it is ready, wants an account, or has stayed failed: a mock may listen a moment late. */
async function settled(): Promise<z.infer<typeof VIEWS>[number]> {
  let failedTries = 0;
  for (let tries = 0; tries < TRIES; tries += 1) {
    const listed = VIEWS.parse(JSON.parse(await gatehouse(settings.data, ['upstreams', 'list', '--json'])));
    const view = listed.find((one) => one.name === upstream);
    if (view?.status === 'failed') failedTries += 1;
    if (view && (view.status === 'ready' || view.needsSignIn || failedTries > FAILED_TRIES)) return view;
    await pause(PAUSE_MS);
  }
  throw new Error(`The upstream ${upstream} is still starting.`);
}

/** Every tool that Gatehouse has ever been told of by this upstream, listed to clients or not. */
async function knownTools(): Promise<readonly string[]> {
  const listed = JSON.parse(await gatehouse(settings.data, ['tools', 'list', '--upstream', upstream, '--json']));
  return z
    .array(z.looseObject({ name: z.string() }))
    .parse(listed)
    .map((tool) => tool.name);
}
