import type { CallEnding } from '../call-tool.ts';

/**
 * What the agent is told when the person changed the arguments before approving: a text block behind the upstream's own,
 * and `_meta["gatehouse/edited"]`. `structuredContent` stays as it came, because it must fit the tool's output schema. An
 * error of the upstream's own goes on unchanged (design section 6); the audit has both versions either way.
 *
 * @param argumentsText what ran.
 */
export function toldOfEdit(ending: CallEnding, argumentsText: string): CallEnding {
  switch (ending.kind) {
    case 'answered': {
      const { content, _meta } = ending.result;
      return {
        ...ending,
        result: {
          ...ending.result,
          content: [
            ...(Array.isArray(content) ? content : []),
            { type: 'text', text: `${EDITED}\nIt ran with these arguments: ${argumentsText}` },
          ],
          _meta: { ...(isObject(_meta) ? _meta : {}), 'gatehouse/edited': true },
        },
      };
    }
    case 'failed':
      return { ...ending, message: `${ending.message} ${EDITED}` };
    default:
      return ending;
  }
}

const EDITED = 'The person changed the arguments of this call before approving it.';

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
