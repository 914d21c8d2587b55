import type { ApprovalView } from '../../shared/model.ts';
import { Visible } from './visible.tsx';

/** `github as work / create_issue`: what is called, and as which account. */
export function Called({ of }: { readonly of: Pick<ApprovalView, 'upstream' | 'connection' | 'tool'> }) {
  return (
    <>
      <Visible text={of.upstream} />
      {of.connection !== null && (
        <>
          <span className="call-slash"> as </span>
          <Visible text={of.connection} />
        </>
      )}
      <span className="call-slash"> / </span>
      <Visible text={of.tool} />
    </>
  );
}
