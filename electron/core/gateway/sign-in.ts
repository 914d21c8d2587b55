import type { IncomingMessage, ServerResponse } from 'node:http';
import type { BrowserStep, ClientSignIn, ProtocolAnswer } from '../client-sign-in/client-sign-in.ts';
import { createPace, type Pace } from '../client-sign-in/pace.ts';
import { MAX_REGISTRATION } from '../client-sign-in/registration.ts';
import { resourceAt } from '../client-sign-in/resource.ts';
import { readExactJson } from '../exact-json.ts';
import type { Clock } from '../platform.ts';
import { readBody } from './body.ts';
import { short } from './foreign.ts';
import type { Rejection, Rejections } from './rejections.ts';
import { sendJson, sendOn, sendPage, sendScript } from './responses.ts';
import type { SignInRoute } from './routes.ts';
import { type InertPage, stoppedPage, WAITING_SCRIPT, waitingPage } from './waiting-page.ts';

/** The public addresses by which a client signs in by itself; everything of them is refused as elsewhere first. */
export interface SignInDoor {
  serve(route: SignInRoute, request: IncomingMessage, response: ServerResponse, requestId: string): Promise<void>;
}

/** Nobody has shown a key here: so much of each, by all programs of this machine together. */
const A_MINUTE = 60_000;
const LIMITS = { register: 20, authorize: 30, token: 240 } as const;
/** A query or a form of a token request: nothing of ours is longer. */
const MAX_FORM = 16_384;
/** The question is asked again by the page before browsers or proxies give up. */
const HELD_MS = 20_000;

export function createSignInDoor(parts: {
  readonly signIn: ClientSignIn;
  readonly rejections: Rejections;
  readonly clock: Clock;
}): SignInDoor {
  const { signIn, rejections, clock } = parts;
  const paces: Readonly<Record<keyof typeof LIMITS, Pace>> = {
    register: createPace(clock, LIMITS.register, A_MINUTE),
    authorize: createPace(clock, LIMITS.authorize, A_MINUTE),
    token: createPace(clock, LIMITS.token, A_MINUTE),
  };

  async function serve(
    route: SignInRoute,
    request: IncomingMessage,
    response: ServerResponse,
    requestId: string,
  ): Promise<void> {
    const refuse = (status: number, kind: Rejection['kind'], error: string, message: string, headers = {}) => {
      rejections.record({ kind, reason: message, requestId });
      sendJson(response, status, { error, error_description: message }, headers);
    };
    const answer = ({ status, body }: ProtocolAnswer) => {
      if (status >= 400)
        rejections.record({ kind: 'sign_in_rejected', reason: short(JSON.stringify(body)), requestId });
      sendJson(response, status, body ?? {});
    };
    const show = (status: number, { html, headers }: InertPage) => sendPage(response, status, html, headers);
    const follow = (step: BrowserStep) => {
      if (step.kind === 'go') return sendOn(response, step.to);
      if (step.kind === 'wait') return show(200, waitingPage());
      rejections.record({ kind: 'sign_in_rejected', reason: short(step.message), requestId });
      show(step.status, stoppedPage(step.message));
    };
    const describe = async (metadata: unknown) => {
      const now = await signIn.state();
      if (now.kind === 'on') return sendJson(response, 200, metadata);
      const message = `Programs cannot sign in. ${now.reason} Use a key.`;
      sendJson(response, 404, { error: 'not_found', error_description: message });
    };
    const isPaced = (what: keyof typeof LIMITS) => {
      if (paces[what]()) return true;
      refuse(429, 'rate_limited', 'temporarily_unavailable', 'Too many at once. Try again in a minute.', {
        'retry-after': '60',
      });
      return false;
    };
    const body = async (type: RegExp, named: string, limit: number): Promise<Buffer | null> => {
      if (!type.test(request.headers['content-type'] ?? '') || !isPlain(request)) {
        refuse(
          415,
          'unsupported_media_type',
          'invalid_request',
          `Send content-type: ${named}, without content-encoding.`,
        );
        return null;
      }
      const announced = Number(request.headers['content-length'] ?? 0);
      const read = announced > limit ? 'too_large' : await readBody(request, response, limit);
      if (read === 'too_large')
        refuse(413, 'body_too_large', 'invalid_request', `The body is larger than ${limit} bytes.`);
      return Buffer.isBuffer(read) ? read : null;
    };
    const form = async () => {
      const read = await body(FORM, 'application/x-www-form-urlencoded', MAX_FORM);
      return read === null ? null : new URLSearchParams(read.toString('utf8'));
    };

    switch (route.kind) {
      case 'resource': {
        const resource = resourceAt(route.path === '' ? '/mcp' : route.path);
        if (resource === null) return sendJson(response, 404, { error: 'not_found' });
        return describe(signIn.resourceMetadata(resource, request.headers.host ?? ''));
      }
      case 'server':
        return describe(signIn.serverMetadata());
      case 'register': {
        if (!isPaced('register')) return;
        const read = await body(JSON_TYPE, 'application/json', MAX_REGISTRATION);
        if (read === null) return;
        const json = readExactJson(read, []);
        if (json.kind === 'refused') return refuse(400, 'message_rejected', 'invalid_client_metadata', json.message);
        return answer(await signIn.register(json.value));
      }
      case 'authorize': {
        if (!isPaced('authorize')) return;
        const target = request.url ?? '';
        if (target.length > MAX_FORM)
          return refuse(
            414,
            'message_rejected',
            'invalid_request',
            `The address is longer than ${MAX_FORM} characters.`,
          );
        return follow(await signIn.authorize(new URLSearchParams(target.slice(target.indexOf('?') + 1))));
      }
      case 'waiting':
        return follow(await signIn.step(route.uid));
      case 'answer': {
        const before = await signIn.step(route.uid);
        if (before.kind === 'wait') await signIn.answered(route.uid, HELD_MS);
        const now = before.kind === 'wait' ? await signIn.step(route.uid) : before;
        return sendJson(response, 200, { state: now.kind === 'wait' ? 'waiting' : 'over' });
      }
      case 'script':
        return sendScript(response, WAITING_SCRIPT);
      case 'resume':
        return follow(await signIn.resume(route.uid));
      case 'token': {
        if (!isPaced('token')) return;
        const given = await form();
        return given === null ? undefined : answer(await signIn.token(given));
      }
      case 'revoke': {
        if (!isPaced('token')) return;
        const given = await form();
        return given === null ? undefined : answer(await signIn.revoke(given));
      }
    }
  }

  return { serve };
}

const FORM = /^application\/x-www-form-urlencoded\s*(;|$)/i;
const JSON_TYPE = /^application\/json\s*(;|$)/i;

function isPlain({ headers }: IncomingMessage): boolean {
  return headers['content-encoding'] === undefined || headers['content-encoding'] === 'identity';
}
