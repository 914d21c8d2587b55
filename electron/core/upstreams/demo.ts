import type { Risk } from '../../../shared/model.ts';

/** What each tool of the demo upstream can do at worst: it ships reviewed. Apart from `demo-server.ts`, which needs the SDK. */
export const demoRisks: Readonly<Record<string, Risk>> = {
  list_notes: 'read',
  read_note: 'read',
  write_note: 'write',
  delete_all_notes: 'destructive',
  slow_count: 'read',
  always_fails: 'read',
  change_my_definition: 'write',
};
