import type { CallEnding } from '../call-tool.ts';
import { textAt } from '../exact-members.ts';
import { exactly, writeExact } from '../exact-text.ts';
import type { Answered } from '../upstreams/request.ts';

/**
 * What the agent is told when the person changed the arguments before approving: a text block behind the upstream's own,
 * and `_meta["gatehouse/edited"]`. `structuredContent` stays as it came, because it must fit the tool's output schema. An
 * error of the upstream's own goes on unchanged (design section 6); the audit has both versions either way.
 *
 * @param argumentsText what ran.
 */
export function toldOfEdit(ending: CallEnding, argumentsText: string): CallEnding {
  switch (ending.kind) {
    case 'answered':
      return { ...ending, ...withNotice(ending, `${EDITED}\nIt ran with these arguments: ${argumentsText}`) };
    case 'failed':
      return { ...ending, message: `${ending.message} ${EDITED}` };
    default:
      return ending;
  }
}

const EDITED = 'The person changed the arguments of this call before approving it.';

/** Everything of the upstream's own stays as it was written. */
function withNotice({ result, resultText }: Answered, text: string): Pick<Answered, 'result' | 'resultText' | 'bytes'> {
  const notice = { type: 'text', text };
  const { content, _meta } = result;
  const told = writeExact({
    ...exactly(resultText),
    content: exactly(withItem(Array.isArray(content) ? textAt(resultText, ['content']) : null, JSON.stringify(notice))),
    _meta: { ...exactly((isObject(_meta) && textAt(resultText, ['_meta'])) || '{}'), 'gatehouse/edited': true },
  });
  return {
    result: {
      ...result,
      content: [...(Array.isArray(content) ? content : []), notice],
      _meta: { ...(isObject(_meta) ? _meta : {}), 'gatehouse/edited': true },
    },
    resultText: told,
    bytes: Buffer.byteLength(told),
  };
}

/** The text of a list with one item more. */
function withItem(list: string | null, item: string): string {
  const items = list === null ? '' : list.slice(1, -1).trim();
  return items === '' ? `[${item}]` : `[${items},${item}]`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
