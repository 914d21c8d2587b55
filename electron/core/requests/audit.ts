import type { Handlers } from '../api.ts';
import type { Audit, AuditFilter } from '../audit/audit.ts';

export function auditRequests(parts: {
  readonly audit: Audit;
}): Pick<Handlers, 'auditList' | 'auditVerify' | 'auditExport'> {
  const { audit } = parts;
  return {
    auditList: (input) => audit.list(withoutUndefined(input)),
    auditVerify: () => audit.verify(),
    async auditExport(_input, caller) {
      const made = await audit.exportLines();
      audit.writeSoon({ phase: 'event', kind: 'audit_exported', detail: { entries: made.entries, by: caller.label } });
      return made;
    },
  };
}

function withoutUndefined(input: { readonly limit: number } & Record<string, unknown>): AuditFilter {
  return Object.fromEntries(
    Object.entries(input).filter(([, value]) => value !== undefined && value !== ''),
  ) as unknown as AuditFilter;
}
