import { Button } from 'react-aria-components';
import type { PauseView } from '../../shared/model.ts';
import { Visible } from '../card/visible.tsx';
import { useAct, useBridge, useNow } from '../live.ts';
import { Problem } from './notes.tsx';
import { timeAgo } from './time.ts';

/** Stops everything at once; nothing asks first, because it can only narrow. Not there while everything is paused. */
export function PauseAll({ pauses }: { readonly pauses: readonly PauseView[] }) {
  const bridge = useBridge();
  const act = useAct();
  if (pauses.some(({ clientId }) => clientId === null)) return null;
  return (
    <>
      <Problem message={act.problem} />
      <Button
        className="button small pause"
        isDisabled={act.busy}
        onPress={() => void act.run(() => bridge.request('callsPause', {}))}
      >
        Pause all calls
      </Button>
    </>
  );
}

/** What is paused, who did it and since when, and the way back. */
export function PauseBanner({ pause }: { readonly pause: PauseView }) {
  const bridge = useBridge();
  const act = useAct();
  const now = useNow();
  return (
    <div className="banner banner-act" role="status">
      <span className="grow">
        {pause.client === null ? (
          <strong>All calls are paused</strong>
        ) : (
          <strong>
            Calls of <Visible text={pause.client} /> are paused
          </strong>
        )}
        , by <Visible text={pause.by} />, {timeAgo(pause.since, now)}. Agents are told so; no new call runs until you
        resume.
        <Problem message={act.problem} />
      </span>
      <Button
        className="button small"
        isDisabled={act.busy}
        onPress={() =>
          void act.run(() => bridge.request('callsResume', pause.clientId === null ? {} : { client: pause.clientId }))
        }
      >
        {act.busy ? 'Waiting…' : 'Resume'}
      </Button>
    </div>
  );
}

/** Of one client, in its row. */
export function PauseClient({
  clientId,
  pauses,
}: {
  readonly clientId: string;
  readonly pauses: readonly PauseView[];
}) {
  const bridge = useBridge();
  const act = useAct();
  const isPaused = pauses.some((pause) => pause.clientId === clientId);
  return (
    <>
      <Problem message={act.problem} />
      <Button
        className="button small"
        isDisabled={act.busy}
        onPress={() =>
          void act.run(() => bridge.request(isPaused ? 'callsResume' : 'callsPause', { client: clientId }))
        }
      >
        {isPaused ? 'Resume' : 'Pause'}
      </Button>
    </>
  );
}
