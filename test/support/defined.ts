import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, type Recorder, type TestGatehouse } from './gatehouse.ts';

/** What an upstream of a test lists and answers. */
export interface Defined {
  readonly tools: readonly unknown[];
  readonly serverInfo?: Readonly<Record<string, unknown>>;
  /** Results of its tools, by name; one without a result echoes. */
  readonly results?: Readonly<Record<string, unknown>>;
  /** Contents of its resources, by URI. */
  readonly pages?: Readonly<Record<string, { readonly mimeType: string; readonly text: string }>>;
}

/** A recorder upstream that lists exactly this, once it is ready; nothing of it is reviewed. */
export async function addDefined(gatehouse: TestGatehouse, name: string, defined: Defined): Promise<Recorder> {
  const file = join(gatehouse.folder, `definitions-${name}.json`);
  writeFileSync(file, JSON.stringify(defined));
  const recorder = await gatehouse.recorder(name, { args: [`--definitions=${file}`], review: false });
  await eventually(async () => {
    const found = (await gatehouse.ask('upstreamsList')).find((upstream) => upstream.id === recorder.id);
    return found?.status === 'ready' ? true : null;
  }, `${name} to be ready`);
  return recorder;
}
