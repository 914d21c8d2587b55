import type { ConnectionView, SignInView } from '../../shared/connections.ts';
import type { UpstreamView } from '../../shared/model.ts';
import { type Call, type Command, JSON_OPTION, WORKSPACE_OPTION } from './command.ts';
import type { Door } from './door.ts';
import { findUpstream } from './names.ts';
import { readSecret, SECRET_FILE_OPTION } from './secret-option.ts';
import { endLines, stepLine } from './sign-in-lines.ts';
import { shownTime } from './terminal.ts';
import { visible } from './untrusted.ts';

/** `upstreams connect`: one sign-in from the command to the connection, with every step as it happens. */
export const connect: Command = {
  words: ['upstreams', 'connect'],
  summary: 'sign an account in: shows the link to open, and waits until it is connected',
  takes: ['name'],
  options: {
    account: {
      type: 'string',
      value: 'LABEL',
      help: 'your name for the account; one that is there is signed in again',
    },
    server: { type: 'string', value: 'URL', help: 'which of several authorization servers' },
    'client-id': { type: 'string', value: 'ID', help: 'a client id of yours, if the vendor gives none by itself' },
    'client-secret': { type: 'boolean', help: 'it has a secret: it is asked, never typed here' },
    yes: { type: 'boolean', help: 'ask for more scopes than before without asking you first' },
    ...SECRET_FILE_OPTION,
    ...WORKSPACE_OPTION,
    ...JSON_OPTION,
  },
  async run(call) {
    const door = await call.door();
    const upstream = door && (await findUpstream(call, door, call.words[0] ?? ''));
    if (!door || !upstream) return 1;
    if (!door.running) {
      call.terminal.say('gatehouse: Gatehouse is not running, so nothing can be signed in; start it with npm start.');
      return 1;
    }
    const signIn = await begin(call, door, upstream);
    if (signIn === null) return 1;
    const ended = await follow(call, door, signIn);
    if (ended === null) return 1;
    if (call.flag('json')) call.terminal.print(JSON.stringify(ended));
    if (ended.state === 'connected') {
      call.terminal.say(`${ended.upstream} is connected as '${visible(ended.label)}'.`);
      return 0;
    }
    for (const line of endLines(ended)) call.terminal.say(line);
    return 1;
  },
};

async function begin(call: Call, door: Door, upstream: UpstreamView): Promise<SignInView | null> {
  const label = call.text('account');
  const accounts = await door.ask('connectionsList', { upstream: upstream.id });
  if (!accounts) return null;
  const again = label === null ? undefined : accounts.find((one) => isCalled(one, label));
  const secret = upstream.signIn.kind === 'api_key' ? await readSecret(call, 'API key') : undefined;
  if (secret === null) return null;
  const started = await door.ask('signInStart', {
    upstream: upstream.id,
    ...(again !== undefined ? { connection: again.id } : label !== null ? { label } : {}),
    ...(secret === undefined ? {} : { secret }),
  });
  return started?.signIn ?? null;
}

export function isCalled({ label }: ConnectionView, wanted: string): boolean {
  return label.toLowerCase() === wanted.trim().toLowerCase();
}

/** Says each step as it comes and answers what is asked, until it is over; null: it cannot be followed, and that was said. */
async function follow(call: Call, door: Door, first: SignInView): Promise<SignInView | null> {
  const { terminal } = call;
  let change = Promise.withResolvers<'changed' | 'gone'>();
  const unsubscribe = door.subscribe((topic) => {
    if (topic === 'connections') change.resolve('changed');
  });
  void door.gone.then(() => change.resolve('gone'));
  let said = 0;
  let link: string | null = null;
  try {
    for (let signIn = first; ; ) {
      for (const step of signIn.steps.slice(said)) terminal.say(stepLine(step));
      said = signIn.steps.length;
      if (isOver(signIn)) return signIn;
      if (signIn.state === 'waiting' && signIn.link !== null && signIn.link !== link) {
        link = signIn.link;
        terminal.say(`Open this page and allow Gatehouse there, by ${shownTime(signIn.endsAt)}:`);
        terminal.print(visible(link));
      }
      const answered = await answer(call, door, signIn);
      if (answered === 'cannot') {
        await door.ask('signInCancel', { signIn: signIn.id });
        return null;
      }
      if (answered === 'nothing' && (await change.promise) === 'gone') {
        terminal.say('gatehouse: Gatehouse was closed, so the sign-in ended.');
        return null;
      }
      change = Promise.withResolvers();
      void door.gone.then(() => change.resolve('gone'));
      const next = await door.ask('signInGet', { signIn: signIn.id });
      if (!next) return null;
      signIn = next.signIn;
    }
  } finally {
    unsubscribe();
  }
}

function isOver({ state }: SignInView): boolean {
  return state === 'connected' || state === 'failed' || state === 'cancelled';
}

/** Whether it asked something: that was answered, cannot be answered from here, or it asks nothing. */
async function answer(call: Call, door: Door, signIn: SignInView): Promise<'answered' | 'cannot' | 'nothing'> {
  switch (signIn.state) {
    case 'choose_server':
      return chooseServer(call, door, signIn);
    case 'needs_client_id':
      return giveClientId(call, door, signIn);
    case 'confirm_scopes':
      return confirmScopes(call, door, signIn);
    default:
      return 'nothing';
  }
}

async function chooseServer(call: Call, door: Door, signIn: SignInView): Promise<'answered' | 'cannot'> {
  const { terminal } = call;
  const wanted = call.text('server');
  terminal.say(`${signIn.upstream} takes accounts of several servers:`);
  signIn.servers.forEach((server, index) => void terminal.say(`  ${index + 1}  ${visible(server)}`));
  const typed = wanted ?? (await terminal.askLine('Which one (its number)? '));
  const issuer = signIn.servers.find((server, index) => server === typed || String(index + 1) === typed?.trim());
  if (issuer === undefined) {
    terminal.say(
      wanted === null
        ? 'gatehouse: None was chosen. Choose one with --server URL.'
        : `gatehouse: '${visible(wanted)}' is none of them.`,
    );
    return 'cannot';
  }
  return (await door.ask('signInChoose', { signIn: signIn.id, issuer })) ? 'answered' : 'cannot';
}

async function giveClientId(call: Call, door: Door, signIn: SignInView): Promise<'answered' | 'cannot'> {
  const { terminal } = call;
  terminal.say(visible(signIn.message ?? 'The vendor gives out no client ids by itself: register one there.'));
  if (signIn.next !== null) terminal.say(visible(signIn.next.text));
  if (signIn.redirectUri !== null)
    terminal.say(`Register this redirect address with it: ${visible(signIn.redirectUri)}`);
  const given = call.text('client-id');
  const clientId = given ?? (await terminal.askLine('Client id: '))?.trim() ?? '';
  if (clientId === '') {
    terminal.say('gatehouse: No client id was given. Give it with --client-id ID.');
    return 'cannot';
  }
  let clientSecret: string | null = null;
  if (call.flag('client-secret') || call.text('secret-file') !== null) {
    clientSecret = await readSecret(call, 'client secret');
    if (clientSecret === null) return 'cannot';
  } else if (given === null) {
    const typed = await terminal.askSecret('Client secret (not shown; empty if there is none): ');
    clientSecret = typed === '' ? null : typed;
  }
  return (await door.ask('signInClient', { signIn: signIn.id, clientId, clientSecret })) ? 'answered' : 'cannot';
}

async function confirmScopes(call: Call, door: Door, signIn: SignInView): Promise<'answered' | 'cannot'> {
  const { terminal } = call;
  terminal.say(`'${visible(signIn.label)}' would be allowed more than now:`);
  for (const scope of signIn.newScopes) terminal.say(`  + ${visible(scope)}`);
  const kept = (signIn.scopes ?? []).filter((scope) => !signIn.newScopes.includes(scope));
  for (const scope of kept) terminal.say(`    ${visible(scope)}`);
  if (!call.flag('yes') && !(await terminal.askYes('Ask for it? [y/N] '))) {
    terminal.say('gatehouse: Nothing more was asked for. To say yes beforehand: --yes');
    return 'cannot';
  }
  return (await door.ask('signInConfirm', { signIn: signIn.id })) ? 'answered' : 'cannot';
}
