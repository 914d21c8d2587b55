import { useState } from 'react';
import { Button } from 'react-aria-components';
import type { TrustMinutes, TrustView } from '../../shared/model.ts';
import { Visible } from '../card/visible.tsx';
import { useAct, useBridge, useNow } from '../live.ts';
import { Problem } from './notes.tsx';
import { timeLeft } from './time.ts';

/** Whom everything is allowed now, how long still, and the way to end it. */
export function TrustBanner({ trust }: { readonly trust: TrustView }) {
  const bridge = useBridge();
  const act = useAct();
  const now = useNow();
  return (
    <div className="banner banner-act" role="status">
      <span className="grow">
        <strong>
          Everything from <Visible text={trust.client} /> runs unasked
        </strong>
        , except what is destructive or denied: <span className="countdown">{timeLeft(trust.expiresAt - now)}</span>{' '}
        left
        {trust.usedCount > 0 && `, used ${trust.usedCount}×`}.
        <Problem message={act.problem} />
      </span>
      <Button
        className="button small"
        isDisabled={act.busy}
        onPress={() => void act.run(() => bridge.request('trustEnd', { trust: trust.id }))}
      >
        End now
      </Button>
    </div>
  );
}

const MINUTES: readonly TrustMinutes[] = [5, 15, 60];

/** Of one client, in its row: says what it means before it is done. */
export function TrustClient({
  clientId,
  trusts,
}: {
  readonly clientId: string;
  readonly trusts: readonly TrustView[];
}) {
  const bridge = useBridge();
  const act = useAct();
  const [choosing, setChoosing] = useState(false);
  if (trusts.some((trust) => trust.clientId === clientId)) return null;
  if (!choosing) {
    return (
      <>
        <Problem message={act.problem} />
        <Button className="button small" isDisabled={act.busy} onPress={() => setChoosing(true)}>
          {act.busy ? 'Waiting…' : 'Trust for a while…'}
        </Button>
      </>
    );
  }
  const start = (minutes: TrustMinutes) => {
    setChoosing(false);
    void act.run(() => bridge.request('trustStart', { client: clientId, minutes }));
  };
  return (
    <fieldset className="confirm confirm-row" aria-label="Trust for a while">
      <span>Whatever it calls runs without asking you, except what is destructive or denied.</span>
      {MINUTES.map((minutes) => (
        <Button key={minutes} className="button small" onPress={() => start(minutes)}>
          {minutes} min
        </Button>
      ))}
      <Button className="button small" autoFocus onPress={() => setChoosing(false)}>
        Keep asking
      </Button>
    </fieldset>
  );
}
