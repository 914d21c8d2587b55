import { z } from 'zod';
import type { SignInCode } from '../../../shared/connections.ts';
import type { Called, Driver } from './driver.ts';

/** Says one line about what the client saw. */
export type Seen = (line: string) => void;

export interface Around {
  readonly seen: Seen;
  /** What the runner gives for the scenario. */
  readonly context: unknown;
  /** All tools of the mock that Gatehouse knows of, also those that it does not list. */
  readonly known: readonly string[];
  /** Signs in once more, as a person does who is told to; false when Gatehouse or the person does not go on. */
  signsIn(): Promise<boolean>;
}

/** Where a client has to refuse to sign in: why Gatehouse says it did. */
export function refusalOf(scenario: string): SignInCode | 'not_asked_again' | null {
  return REFUSALS[scenario] ?? null;
}

const REFUSALS: Readonly<Record<string, ReturnType<typeof refusalOf> | undefined>> = {
  'auth/resource-mismatch': 'resource_mismatch',
  'auth/iss-supported-missing': 'issuer_mismatch',
  'auth/iss-wrong-issuer': 'issuer_mismatch',
  'auth/iss-unexpected': 'issuer_mismatch',
  'auth/iss-normalized': 'issuer_mismatch',
  'auth/metadata-issuer-mismatch': 'issuer_mismatch',
  'auth/scope-retry-limit': 'not_asked_again',
};

type Run = (driver: Driver, around: Around) => Promise<void>;

/** What a client does in this scenario of the client sets, and what it must get back. Null: nobody has written it down. */
export function runOf(scenario: string): Run | null {
  // The account is connected before a client can do anything; then there is something to call.
  return SCENARIOS[scenario] ?? (scenario.startsWith('auth/') ? callEverything : null);
}

const SCENARIOS: Readonly<Record<string, Run | undefined>> = {
  initialize: async (driver) => {
    await driver.listTools();
  },
  'request-metadata': async (driver) => {
    await driver.listTools();
  },
  tools_call: async (driver) => {
    await driver.listTools();
    expectText(await driver.call('add_numbers', { a: 5, b: 3 }), 'The sum of 5 and 3 is 8');
  },
  'elicitation-sep1034-client-defaults': async (driver) => {
    await driver.listTools();
    expectText(await driver.call('test_client_elicitation_defaults'), 'Elicitation completed');
  },
  'sse-retry': async (driver) => {
    await driver.listTools();
    expectText(await driver.call('test_reconnection'), 'Reconnection test completed successfully');
  },
  'sep-2322-client-request-state': async (driver) => {
    await driver.listTools();
    const both = await Promise.all([driver.call('test_mrtr_echo_state'), driver.call('test_mrtr_unrelated')]);
    expectText(both[0], 'echo-state-ok');
    expectText(both[1], 'unrelated-ok');
    expectText(await driver.call('test_mrtr_no_state'), 'no-state-ok');
    expectText(await driver.call('test_mrtr_no_result_type'), 'no-result-type-test-ok');
  },
  'http-standard-headers': async (driver) => {
    for (const { name } of await driver.listTools()) expectText(await driver.call(name), 'Headers test completed');
    const { resources } = RESOURCES.parse(await driver.request('resources/list'));
    for (const { uri } of resources) await driver.request('resources/read', { uri });
    const { prompts } = PROMPTS.parse(await driver.request('prompts/list'));
    for (const { name } of prompts) await driver.request('prompts/get', { name });
  },
  'http-custom-headers': async (driver, { context, seen }) => {
    await driver.listTools();
    for (const call of CALLS.parse(context).toolCalls) {
      const called = await driver.call(call.name, call.arguments);
      seen(`${call.name}: ${called.text}`);
      // Gatehouse holds arguments against the tool's schema, in which null is no boolean: then they are left out.
      const again = called.isError ? await driver.call(call.name, withoutNull(call.arguments)) : called;
      expectText(again, 'Custom headers test completed');
    }
  },
  'http-invalid-tool-headers': async (driver, { known, seen }) => {
    const listed = await driver.listTools();
    expectText(await driver.call('valid_tool', { region: 'here' }), 'Tool call received');
    // Also the tools that the client is not shown: whoever names one of them must not reach the mock with it.
    const names = new Set([...listed.map((tool) => tool.name), ...known]);
    names.delete('valid_tool');
    for (const name of names) {
      const params = { name, arguments: SAMPLE[name] ?? { value: 'x' } };
      const called = await driver.request('tools/call', params, SAMPLE_HEADERS).catch(String);
      seen(`${name}: ${JSON.stringify(called)}`);
    }
  },
  'json-schema-ref-no-deref': async (driver, { seen }) => {
    await driver.listTools();
    // The mock lists and cannot be called; what counts is that the call made nobody fetch the schema.
    const called = await driver.call('lookup_user', { id: 'abc' }).catch((error: unknown) => ({ text: String(error) }));
    seen(`lookup_user: ${called.text}`);
  },
  'json-schema-2020-12-preservation': async (driver) => {
    const tools = await driver.listTools();
    const schema = tools.find((tool) => tool.name === 'json_schema_2020_12_tool')?.inputSchema;
    expectText(await driver.call('json_schema_echo', { schema }), 'echoed');
  },
};

/** Told to sign in again, the person does, and the agent calls once more. */
async function callEverything(driver: Driver, { seen, signsIn }: Around): Promise<void> {
  for (const { name } of await driver.listTools()) {
    let called = await driver.call(name);
    seen(`${name}: ${called.text}`);
    while (called.text.startsWith('auth_required') && (await signsIn())) {
      called = await driver.call(name);
      seen(`${name}: ${called.text}`);
    }
    expectText(called, 'test');
  }
}

const RESOURCES = z.looseObject({ resources: z.array(z.looseObject({ uri: z.string() })) });
const PROMPTS = z.looseObject({ prompts: z.array(z.looseObject({ name: z.string() })) });
const CALLS = z.looseObject({
  toolCalls: z.array(z.looseObject({ name: z.string(), arguments: z.record(z.string(), z.unknown()) })),
});

/** Arguments that fit the schemas of the tools that must not be called, so that nothing else stops them. */
const SAMPLE: Readonly<Record<string, Record<string, unknown> | undefined>> = {
  invalid_object_header: { data: {} },
  invalid_array_header: { items: ['x'] },
  invalid_null_header: { nil: null },
  invalid_number_header: { score: 1 },
  invalid_duplicate_same_case: { field1: 'x', field2: 'x' },
  invalid_duplicate_diff_case: { field1: 'x', field2: 'x' },
};
const SAMPLE_HEADERS = { 'Mcp-Param-Score': '1', 'Mcp-Param-Region': 'x', 'Mcp-Param-MyField': 'x' };

function expectText(called: Called, text: string): void {
  if (called.isError || !called.text.includes(text)) throw new Error(`expected "${text}", got: ${called.text}`);
}

function withoutNull(args: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(args).filter(([, value]) => value !== null));
}
