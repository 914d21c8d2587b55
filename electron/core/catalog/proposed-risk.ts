import type { Risk, ToolDefinition } from '../../../shared/model.ts';

/**
 * What a tool might do at worst, judged by the verbs in its name and title and by its own hints: a proposal for the
 * person's review, never a decision. A hint raises caution; `readOnlyHint` counts only where the name says nothing else.
 */
export function proposeRisk(definition: ToolDefinition): Risk {
  const said = riskOfNames(definition);
  const hints = definition.annotations ?? {};
  if (said === 'destructive' || hints.destructiveHint === true) return 'destructive';
  if (said === 'write' || hints.readOnlyHint === false) return 'write';
  if (said === 'read' || hints.readOnlyHint === true) return 'read';
  return 'write';
}

/** `unclear` where no verb is known; names outside ASCII are never taken at the server's word, they count as `write`. */
function riskOfNames(definition: ToolDefinition): Risk | 'unclear' {
  const words = wordsOf(definition.name);
  const title = typeof definition.title === 'string' ? wordsOf(definition.title) : [];
  const reads = words.some((word) => READS.has(word));
  if ([...words, ...title].some(destroys)) return 'destructive';
  if (!reads && words.some((word) => DESTROYS_UNLESS_READ.has(word))) return 'destructive';
  if (words.some((word) => WRITES.has(word))) return 'write';
  if (/[^\x20-\x7e]/.test(definition.name)) return 'write';
  return reads ? 'read' : 'unclear';
}

/** `deleteAllFiles`, `DELETE_ALL` and `HTTPDelete` all come apart into lower-case words. */
function wordsOf(name: string): readonly string[] {
  return name
    .normalize('NFKC')
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}]+/u)
    .filter((word) => word !== '');
}

/** `deleteall` destroys, `deleted` (as in `list_deleted_items`) does not. */
function destroys(word: string): boolean {
  if (DESTROYS.has(word)) return true;
  return DESTROYS_AS_PREFIX.some((verb) => word.startsWith(verb) && !word.startsWith(`${verb}d`));
}

const set = (words: string): ReadonlySet<string> => new Set(words.split(' '));

/** Running code of the caller's choice can do anything, so it stands beside deleting. */
const DESTROYS = set(
  'del rm drop wipe erase kill terminate revoke reset clear unlink shutdown reboot rollback prune flush nuke ' +
    'exec execute eval shell bash powershell sudo',
);
const DESTROYS_AS_PREFIX = ['delete', 'remove', 'destroy', 'purge', 'truncate', 'uninstall', 'overwrite'];
/** `terminal` alone runs anything, `read_terminal_output` does not. */
const DESTROYS_UNLESS_READ = set('terminal cmd ssh sql console');

/** Verbs only; words that are as often the thing (`order`, `tag`, `post`) leave the name to the other words. */
const WRITES = set(
  'add append apply approve archive assign attach build buy cancel change click close commit complete configure ' +
    'connect create deploy disable disconnect dismiss download duplicate edit enable fill generate grant import ' +
    'insert install invite invoke join leave mark merge migrate modify move mute navigate patch pause pay pin ' +
    'provision publish push put register reject rename reopen replace reply resize resolve restart restore resume ' +
    'retry rotate run save send set snooze start stop submit subscribe swap sync transfer trigger unlock unsubscribe ' +
    'update upload upsert uninvite withdraw write mutate mutation',
);

const READS = set(
  'browse check compare count describe details diff discover echo export fetch find get head history info inspect ' +
    'list log logs look lookup peek preview read retrieve search show stat status summarize summary tail tree ' +
    'validate verify view',
);
