import { useEffect, useState } from 'react';
import { Button } from 'react-aria-components';
import type { RequestInput, RequestResult } from '../../shared/api.ts';
import { messageOf, useBridge } from '../live.ts';
import { Problem } from '../parts/notes.tsx';
import type { AuditFilters } from './audit-filters.tsx';
import { VerifyResult } from './verify-result.tsx';

/** The whole log that anybody can verify, or the records that the filters choose. */
const EXPORTS: readonly (readonly [RequestInput<'auditExport'>['as'], string])[] = [
  ['proof', 'Export proof'],
  ['csv', 'Export CSV'],
  ['jsonl', 'Export JSON lines'],
];

/** How often it is asked how far long work is. Milliseconds. */
const LOOK_MS = 700;

/** Verify and export: the same checks that anybody can make on an export without Gatehouse. */
export function AuditProof({ filter }: { readonly filter: AuditFilters }) {
  const bridge = useBridge();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const [report, setReport] = useState<RequestResult<'auditVerify'> | null>(null);
  const [exported, setExported] = useState<RequestResult<'auditExport'> | null>(null);
  const run = async (what: () => Promise<void>) => {
    setBusy(true);
    setProblem(null);
    setExported(null);
    setReport(null);
    try {
      await what();
    } catch (error) {
      setProblem(messageOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <Button
        className="button small"
        isDisabled={busy}
        onPress={() => void run(async () => setReport(await bridge.request('auditVerify', {})))}
      >
        Verify
      </Button>
      {EXPORTS.map(([as, label]) => (
        <Button
          key={as}
          className="button small"
          isDisabled={busy}
          onPress={() =>
            void run(async () =>
              setExported(await bridge.request('auditExport', { as, ...(as === 'proof' ? {} : filter) })),
            )
          }
        >
          {label}
        </Button>
      ))}
      <div className="proof" aria-live="polite">
        {busy && <Progress />}
        <Problem message={problem} />
        {report && <VerifyResult report={report} onClose={() => setReport(null)} />}
        {exported && (
          <p className="note">
            {exported.entries.toLocaleString('en')} entries written to <code>{exported.path}</code>
          </p>
        )}
      </div>
    </>
  );
}

function Progress() {
  const bridge = useBridge();
  const [work, setWork] = useState<RequestResult<'auditState'>['work']>(null);
  useEffect(() => {
    const timer = window.setInterval(() => {
      // What went wrong is said by the work itself.
      bridge.request('auditState', {}).then(
        (state) => setWork(state.work),
        () => setWork(null),
      );
    }, LOOK_MS);
    return () => window.clearInterval(timer);
  }, [bridge]);
  if (work === null) return <p className="note">Working…</p>;
  return (
    <p className="note">
      {work.done.toLocaleString('en')}
      {work.of !== null && ` of ${work.of.toLocaleString('en')}`} {work.what === 'verify' ? 'verified' : 'written'}
    </p>
  );
}
