import { Button } from 'react-aria-components';
import type { VerifyReport } from '../../shared/model.ts';
import { Visible } from '../card/visible.tsx';

const KEPT: Readonly<Record<VerifyReport['signingKey'], string>> = {
  keychain: 'The signing key is in the keychain.',
  file: 'The signing key is in a file: whoever can read your files could forge entries.',
  none: 'There is no signing key: the chain shows accidents, not forgery.',
};

/** What verifying found, in sentences. */
export function VerifyResult({ report, onClose }: { readonly report: VerifyReport; onClose(): void }) {
  return (
    <div className={`verify ${report.ok ? 'verify-ok' : 'verify-bad'}`}>
      <div className="strip">
        <p>
          <strong>
            {report.ok
              ? `The audit is whole: ${report.entries.toLocaleString('en')} entries verify.`
              : `The audit does not verify${report.badSeq === null ? '' : ` from entry ${report.badSeq}`}.`}
          </strong>
        </p>
        <Button className="link" onPress={onClose}>
          Close
        </Button>
      </div>
      {report.problem !== null && (
        <p>
          <Visible text={report.problem} />
        </p>
      )}
      <p className="quiet">
        {report.firstSeq !== null && `Entries ${report.firstSeq} to ${report.lastSeq}. `}
        {/* The report's own notes say more when they say anything of the key. */}
        {!report.notes.some((note) => note.includes('signing key')) && KEPT[report.signingKey]}
      </p>
      {report.notes.map((note) => (
        <p key={note} className="quiet">
          <Visible text={note} />
        </p>
      ))}
      {report.head !== null && (
        <p className="quiet">
          Head <code>{report.head}</code>
        </p>
      )}
    </div>
  );
}
