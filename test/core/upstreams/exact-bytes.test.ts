import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { httpRecorder, received, rig, stdioRecorder } from './rig.ts';

/** Every one of these is changed by a round through JSON.parse and JSON.stringify, or by a careless replacement. */
const TEXTS: readonly string[] = [
  '{"n":9007199254740993,"f":1.0,"e":1E400,"z":-0}',
  '{ "b" : 1 ,\t"a":2, "1":3 }',
  '{"s":"é\u200b\\u00e9\\/","k":{"b":1,"a":[true,null]}}',
  '{"dollar":"$& $1 $$ $`"}',
  '{"__proto__":{"polluted":1},"marker":"{\\"gatehouse:arguments:00000000000000000000000000000000\\":0}"}',
  '{}',
];

/** The slice after `"arguments":` up to the member that the SDK writes after it. */
function argumentsIn(message: string): string {
  const start = message.indexOf('"arguments":') + '"arguments":'.length;
  const end = message.indexOf(',"_meta":', start);
  return message.slice(start, end);
}

const CASES = [
  { era: 'legacy', over: 'stdio' },
  { era: 'modern', over: 'stdio' },
  { era: 'legacy', over: 'http' },
  { era: 'modern', over: 'http' },
  { era: 'legacy', over: 'sse' },
] as const;

describe.each(CASES)('$era over $over', ({ era, over }) => {
  test('the upstream receives exactly the bytes of the arguments', async () => {
    const it = rig();
    const file = join(it.folder, 'record');
    const words = [`--era=${era}`, ...(over === 'sse' ? ['--sse-only'] : [])];
    const transport = over === 'stdio' ? stdioRecorder(file, ...words) : (await httpRecorder(file, ...words)).transport;
    const { id } = await it.addReady('recorder', transport);
    expect(it.upstreams.get(id)?.era).toBe(era);
    for (const text of TEXTS) {
      const outcome = await it.call(id, 'echo', text, { metaText: '{"example/trace":1.0}' });
      expect(outcome.kind).toBe('answered');
    }
    expect(received(file, 'tools/call').map(argumentsIn)).toEqual(TEXTS);
  });
});
