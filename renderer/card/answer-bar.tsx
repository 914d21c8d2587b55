import { type RefObject, useState } from 'react';
import { Button, Label, Text, TextArea, TextField } from 'react-aria-components';
import type { ApprovalView } from '../../shared/model.ts';
import type { Guard } from './guard.ts';

interface Offered {
  readonly bar: RefObject<HTMLDivElement | null>;
  readonly guard: Guard;
  readonly isLocked: boolean;
  readonly no: {
    readonly label: string;
    readonly withReason: string;
    readonly andPause: string;
    readonly placeholder?: string;
    say(why: { readonly reason: string; readonly pause?: true }): void;
  };
  readonly yes: {
    readonly label: string;
    readonly risk?: ApprovalView['risk'];
    /** False while not everything it is for has been seen, chosen or written. */
    readonly isReady: boolean;
    say(): void;
  };
}

/** The no and the yes of one card: the no with a reason, and with a pause of the client; no yes beside a reason. */
export function AnswerBar({ bar, guard, isLocked, no, yes }: Offered) {
  const [reason, setReason] = useState<string | null>(null);
  const sayNo = (event: React.MouseEvent<HTMLElement>, pause: boolean) => {
    if (guard.accepts(event)) no.say({ reason: reason ?? '', ...(pause ? { pause } : {}) });
  };
  const sayYes = (event: React.MouseEvent<HTMLElement>) => {
    if (guard.accepts(event) && yes.isReady) yes.say();
  };
  return (
    <>
      {reason !== null && (
        <TextField className="field" value={reason} onChange={setReason} autoFocus maxLength={2000}>
          <Label>What the agent is told</Label>
          <TextArea rows={2} placeholder={no.placeholder} />
          <Text slot="description">Pausing refuses every call of this client until you resume it.</Text>
        </TextField>
      )}
      <div ref={bar} className="answer-bar" {...guard.watch}>
        <button type="button" className="button deny" disabled={isLocked} onClick={(event) => sayNo(event, false)}>
          {reason === null ? no.label : no.withReason}
        </button>
        {reason !== null && (
          <button type="button" className="button deny" disabled={isLocked} onClick={(event) => sayNo(event, true)}>
            {no.andPause}
          </button>
        )}
        <Button className="link" onPress={() => setReason(reason === null ? '' : null)}>
          {reason === null ? 'With a reason, or pause…' : 'Back'}
        </Button>
        <span className="grow" />
        {reason === null && (
          <button
            type="button"
            className={`button approve${yes.risk === undefined ? '' : ` risk-${yes.risk}`}`}
            disabled={isLocked || !yes.isReady}
            onClick={sayYes}
          >
            {yes.label}
          </button>
        )}
      </div>
    </>
  );
}
