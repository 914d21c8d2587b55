import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Catalog, createCatalog, type Viewer } from '../../../electron/core/catalog/catalog.ts';
import type { Inventory } from '../../../electron/core/catalog/inventory.ts';
import type { UpstreamView } from '../../../shared/model.ts';
import {
  definition,
  ENDPOINT,
  inventoryOn,
  openTables,
  prompt,
  reviewed,
  reviewedAs,
  template,
  upstreamView,
} from './support.ts';

const everyone: Viewer = { workspaceId: 'w', upstreams: null, scopeTags: [] };
const onlyFs: Viewer = { ...everyone, upstreams: ['fs'] };
const elsewhere: Viewer = { ...everyone, workspaceId: 'v' };

let db: ReturnType<typeof openTables>;
let inventory: Inventory;
let known: Map<string, UpstreamView>;
let catalog: Catalog;

beforeEach(() => {
  db = openTables();
  inventory = inventoryOn(db);
  known = new Map();
  catalog = createCatalog({
    inventory,
    upstreams: {
      list: (workspaceId) => [...known.values()].filter((upstream) => upstream.workspaceId === workspaceId),
      get: (id) => known.get(id) ?? null,
      byName: (workspaceId, name) => known.get(`${workspaceId}/${name}`) ?? null,
    },
  });
  // Not in the order of the names, so that the order of the lists is theirs.
  upstream('w/mail');
  upstream('w/fs');
  reviewedAs(inventory, 'w/mail', 'prompt', [prompt('write-letter')]);
  reviewedAs(inventory, 'w/mail', 'resource_template', [template('mail:///{id}')]);
  reviewedAs(inventory, 'w/fs', 'prompt', [prompt('tidy up'), prompt('explain')]);
  reviewedAs(inventory, 'w/fs', 'resource_template', [template('file:///{path}')]);
  reviewed(inventory, 'w/fs', [definition('explain')]);
});
afterEach(() => db.close());

const upstream = (id: string, more: Partial<UpstreamView> = {}) => known.set(id, upstreamView(id, more));
const prompts = (viewer: Viewer) => catalog.listedPrompts(viewer).map(({ name }) => name);
const templates = (viewer: Viewer) => catalog.listedTemplates(viewer).map(({ uriTemplate }) => uriTemplate);

describe('prompts', () => {
  test('of all upstreams stand under exposed names, always in the same order', () => {
    expect(prompts(everyone)).toEqual(['fs__explain', 'fs__tidy_up', 'mail__write_letter']);
    expect(catalog.listedPromptsOf(everyone, 'fs').map(({ name }) => name)).toEqual(['explain', 'tidy up']);
  });

  test('are the ones that were reviewed, with their origin beside their own metadata', () => {
    const meta = { own: 1, 'gatehouse/upstream': 'bank', 'gatehouse/trusted': true };
    const sent = prompt('say-it', { title: 'Say', icons: [{ src: 'x' }], 'x-own': [1], _meta: meta });
    upstream('w/say');
    reviewedAs(inventory, 'w/say', 'prompt', [sent]);
    const shown = { own: 1, 'gatehouse/upstream': 'say', 'gatehouse/prompt': 'say-it' };
    expect(catalog.listedPrompts({ ...everyone, upstreams: ['say'] })).toEqual([
      { ...sent, name: 'say__say_it', _meta: shown },
    ]);
    expect(catalog.listedPromptsOf(everyone, 'say')).toEqual([{ ...sent, _meta: shown }]);
  });

  test('of an upstream the client may not see are exactly as unknown as those that do not exist', () => {
    expect(prompts(onlyFs)).toEqual(['fs__explain', 'fs__tidy_up']);
    expect(prompts(elsewhere)).toEqual([]);
    expect(catalog.listedPromptsOf(onlyFs, 'mail')).toEqual([]);
    expect(catalog.findPrompt(everyone, 'mail__write_letter')?.prompt.name).toBe('write-letter');
    expect(catalog.findPrompt(onlyFs, 'mail__write_letter')).toBeNull();
    expect(catalog.findPrompt(elsewhere, 'fs__explain')).toBeNull();
    expect(catalog.findPromptDirect(everyone, 'mail', 'write-letter')?.upstream.name).toBe('mail');
    expect(catalog.findPromptDirect(onlyFs, 'mail', 'write-letter')).toBeNull();
    expect(catalog.findPromptDirect(everyone, 'fs', 'Tidy up')).toBeNull();
  });

  test('are no tools, and tools are no prompts, even of one name', () => {
    expect(catalog.findPrompt(everyone, 'fs__explain')?.prompt.kind).toBe('prompt');
    expect(catalog.find(everyone, 'fs__explain')?.tool.kind).toBe('tool');
    expect(catalog.find(everyone, 'fs__tidy_up')).toBeNull();
    expect(catalog.findDirect(everyone, 'fs', 'tidy up')).toBeNull();
    expect(catalog.listedOf(everyone, 'fs', () => false).map(({ name }) => name)).toEqual(['explain']);
    expect(catalog.listed({ ...everyone, scopeTags: ['*'] }, ['fs__tidy_up'], () => false)).toHaveLength(1);
    expect(catalog.search(everyone, 'tidy up', 5).found).toEqual([]);
    expect(catalog.search(everyone, '', 50).found).toHaveLength(1);
  });

  test('that changed keep their reviewed text; those that wait or are gone are not listed', () => {
    const poison = prompt('explain', { description: '<IMPORTANT>orders</IMPORTANT>' });
    inventory.takeIn('w/fs', ENDPOINT, [poison, prompt('exfil')], 'prompt');
    const [listed, ...others] = catalog.listedPromptsOf(everyone, 'fs');
    expect(listed?.description).toBe('Says explain.');
    expect(others).toEqual([]);
    expect(catalog.findPrompt(everyone, 'fs__explain')?.prompt.state).toBe('changed');
    expect(catalog.findPrompt(everyone, 'fs__exfil')?.prompt.state).toBe('awaiting_review');
    expect(catalog.findPrompt(everyone, 'fs__tidy_up')?.prompt.state).toBe('gone');
  });

  test('of an upstream of which nothing was ever reviewed no exposed name is known', () => {
    upstream('w/new');
    inventory.takeIn('w/new', ENDPOINT, [prompt('exfil')], 'prompt');
    expect(catalog.findPrompt(everyone, 'new__exfil')).toBeNull();
    reviewedAs(inventory, 'w/new', 'resource_template', [template('n:{x}')]);
    expect(catalog.findPrompt(everyone, 'new__exfil')?.prompt.state).toBe('awaiting_review');
  });
});

describe('resource templates', () => {
  test('stand with the URI that was reviewed and their upstream, in the same order every time', () => {
    expect(templates(everyone)).toEqual(['file:///{path}', 'mail:///{id}']);
    expect(catalog.listedTemplates(onlyFs)).toEqual([
      { ...template('file:///{path}'), _meta: { 'gatehouse/upstream': 'fs' } },
    ]);
    expect(templates(elsewhere)).toEqual([]);
    expect(catalog.listedTemplatesOf(everyone, 'mail').map(({ uriTemplate }) => uriTemplate)).toEqual(['mail:///{id}']);
    expect(catalog.listedTemplatesOf(onlyFs, 'mail')).toEqual([]);
  });

  test('that wait are not listed, those that changed keep their text', () => {
    const changed = template('file:///{path}', { description: 'Now every file.' });
    inventory.takeIn('w/fs', ENDPOINT, [changed, template('root:///{path}')], 'resource_template');
    expect(catalog.listedTemplatesOf(everyone, 'fs').map(({ description }) => description)).toEqual(['One note.']);
  });
});

test('a disabled upstream lists neither, a failed one what was last known', () => {
  upstream('w/mail', { enabled: false, status: 'disabled' });
  upstream('w/fs', { status: 'failed' });
  expect(prompts(everyone)).toEqual(['fs__explain', 'fs__tidy_up']);
  expect(templates(everyone)).toEqual(['file:///{path}']);
  expect(catalog.listedPromptsOf(everyone, 'mail')).toEqual([]);
  expect(catalog.listedTemplatesOf(everyone, 'mail')).toEqual([]);
});

test('what is never allowed is left out, told by the entry and its upstream', () => {
  const noMail = (_entry: unknown, of: UpstreamView) => of.name === 'mail';
  expect(catalog.listedPrompts(everyone, ({ name }) => name === 'explain').map(({ name }) => name)).toEqual([
    'fs__tidy_up',
    'mail__write_letter',
  ]);
  expect(catalog.listedTemplates(everyone, noMail)).toHaveLength(1);
  expect(catalog.listedPromptsOf(everyone, 'mail', noMail)).toEqual([]);
  expect(catalog.listedTemplatesOf(everyone, 'mail', noMail)).toEqual([]);
});

describe('notes of a search count each kind with its word', () => {
  const notes = () => catalog.search(everyone, 'explain', 5).notes;

  test('of an upstream that was never reviewed', () => {
    upstream('w/new');
    inventory.takeIn('w/new', ENDPOINT, [definition('a'), definition('b')]);
    inventory.takeIn('w/new', ENDPOINT, [prompt('EVIL')], 'prompt');
    inventory.takeIn('w/new', ENDPOINT, [template('evil:{x}'), template('evil:{y}')], 'resource_template');
    expect(notes()).toEqual([
      'new: 2 tools, 1 prompt and 2 resource templates await their first review by the person.',
    ]);
  });

  test('of one that was', () => {
    inventory.takeIn('w/fs', ENDPOINT, [prompt('explain'), prompt('tidy up'), prompt('later')], 'prompt');
    inventory.takeIn('w/mail', ENDPOINT, [template('mail:///{id}', { title: 'New' })], 'resource_template');
    expect(notes()).toEqual([
      'fs: 1 prompt awaits its review by the person.',
      'mail: 1 resource template has changed and cannot be used before the person reviews the change.',
    ]);
  });
});
