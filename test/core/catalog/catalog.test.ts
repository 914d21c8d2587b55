import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Catalog, createCatalog, type Viewer } from '../../../electron/core/catalog/catalog.ts';
import type { Inventory } from '../../../electron/core/catalog/inventory.ts';
import type { UpstreamView } from '../../../shared/model.ts';
import { definition, ENDPOINT, inventoryOn, openTables, reviewed, upstreamView } from './support.ts';

const everyone: Viewer = { workspaceId: 'w', upstreams: null, scopeTags: [] };
const onlyFs: Viewer = { ...everyone, upstreams: ['fs'] };
const never = () => false;

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
});
afterEach(() => db.close());

const upstream = (id: string, more: Partial<UpstreamView> = {}) => known.set(id, upstreamView(id, more));

function twoUpstreams(): void {
  upstream('w/mail', { tags: ['office'] });
  upstream('w/fs', { tags: ['files'] });
  reviewed(inventory, 'w/mail', [
    definition('send_message', { description: 'Sends an e-mail message to one or more people.' }),
  ]);
  reviewed(inventory, 'w/fs', [
    definition('write_file', { description: 'Writes text into a file, replacing what was there.' }),
    definition('read_text_file', { description: 'Reads the complete contents of a file as text.' }),
    definition('list_directory', { description: 'Lists the files and folders in a directory.' }),
  ]);
}

describe('find', () => {
  test('B9 a tool outside what the client may see is exactly as unknown as one that does not exist', () => {
    twoUpstreams();
    expect(catalog.find(everyone, 'mail__send_message')?.tool.name).toBe('send_message');
    expect(catalog.find(onlyFs, 'mail__send_message')).toBeNull();
    expect(catalog.find(onlyFs, 'mail__no_such_tool')).toBeNull();
    expect(catalog.findDirect(onlyFs, 'mail', 'send_message')).toBeNull();
    expect(catalog.findDirect(onlyFs, 'fs', 'read_text_file')?.upstream.name).toBe('fs');
    expect(catalog.upstream(onlyFs, 'mail')).toBeNull();
  });

  test('another workspace is out of sight', () => {
    twoUpstreams();
    const other: Viewer = { ...everyone, workspaceId: 'v' };
    expect(catalog.find(other, 'fs__read_text_file')).toBeNull();
    expect(catalog.findDirect(other, 'fs', 'read_text_file')).toBeNull();
    expect(catalog.search(other, 'read', 5).found).toEqual([]);
  });

  test('H5 only the exact names are met', () => {
    twoUpstreams();
    for (const name of [
      'FS__read_text_file',
      'fs__read_text_file ',
      'fs__read_text_file\u0000',
      'ｆs__read_text_file',
    ]) {
      expect(catalog.find(everyone, name)).toBeNull();
    }
    for (const [of, tool] of [
      ['FS', 'read_text_file'],
      ['fs', 'Read_Text_File'],
      ['fs', 'read_text_file '],
    ] as const) {
      expect(catalog.findDirect(everyone, of, tool)).toBeNull();
    }
  });

  test('of an upstream that was never reviewed no exposed name is known', () => {
    upstream('w/new');
    inventory.takeIn('w/new', ENDPOINT, [definition('exfil')]);
    expect(catalog.find(everyone, 'new__exfil')).toBeNull();
    expect(catalog.findDirect(everyone, 'new', 'exfil')?.tool.state).toBe('awaiting_review');
  });

  test('a tool that waits beside reviewed ones is found with its state', () => {
    twoUpstreams();
    inventory.takeIn('w/mail', ENDPOINT, [definition('send_message'), definition('exfil')]);
    expect(catalog.find(everyone, 'mail__exfil')?.tool.state).toBe('awaiting_review');
    expect(catalog.find(everyone, 'mail__send_message')?.tool.state).toBe('changed');
  });
});

describe('listing', () => {
  const names = (viewer: Viewer, pins: readonly string[] = []) =>
    catalog.listed(viewer, pins, never).map(({ exposedName }) => exposedName);

  test('scope tags and pins decide what stands in the list', () => {
    twoUpstreams();
    expect(names(everyone)).toEqual([]);
    expect(names({ ...everyone, scopeTags: ['office'] })).toEqual(['mail__send_message']);
    expect(names({ ...everyone, scopeTags: ['nothing'] })).toEqual([]);
    expect(names(everyone, ['fs__write_file', 'fs__unknown'])).toEqual(['fs__write_file']);
    expect(names({ ...everyone, scopeTags: ['*'] })).toEqual([
      'fs__list_directory',
      'fs__read_text_file',
      'fs__write_file',
      'mail__send_message',
    ]);
    expect(names({ ...onlyFs, scopeTags: ['*'] }, ['mail__send_message'])).toHaveLength(3);
  });

  test('what is never allowed is left out', () => {
    twoUpstreams();
    const listed = catalog.listed({ ...everyone, scopeTags: ['*'] }, [], (tool) => tool.name.startsWith('write'));
    expect(listed.map(({ exposedName }) => exposedName)).not.toContain('fs__write_file');
    expect(listed).toHaveLength(3);
  });

  test('a changed tool stands there with the text that was reviewed; waiting and gone ones do not', () => {
    twoUpstreams();
    inventory.takeIn('w/fs', ENDPOINT, [
      definition('read_text_file', { description: 'Now with <IMPORTANT>orders</IMPORTANT>.' }),
      definition('exfil'),
      definition('list_directory', { description: 'Lists the files and folders in a directory.' }),
    ]);
    const listed = catalog.listed({ ...everyone, scopeTags: ['files'] }, [], never);
    expect(listed.map(({ exposedName }) => exposedName)).toEqual(['fs__list_directory', 'fs__read_text_file']);
    expect(listed[1]?.definition.description).toBe('Reads the complete contents of a file as text.');
    expect(JSON.stringify(listed)).not.toContain('IMPORTANT');
  });

  test('a definition is the one reviewed, renamed, with its origin beside its own metadata', () => {
    upstream('w/ui', { tags: ['x'] });
    const meta = { 'ui.resourceUri': 'ui://a', 'gatehouse/upstream': 'bank', 'gatehouse/trusted': true };
    const sent = definition('show-it', { title: 'Show', 'x-own': [1], _meta: meta, outputSchema: { type: 'object' } });
    reviewed(inventory, 'w/ui', [sent]);
    expect(catalog.listed({ ...everyone, scopeTags: ['x'] }, [], never)).toEqual([
      {
        exposedName: 'ui__show_it',
        definition: {
          ...sent,
          name: 'ui__show_it',
          _meta: { 'ui.resourceUri': 'ui://a', 'gatehouse/upstream': 'ui', 'gatehouse/tool': 'show-it' },
        },
      },
    ]);
    expect(catalog.listedOf(everyone, 'ui', never).map(({ name }) => name)).toEqual(['show-it']);
    expect(catalog.listedOf(onlyFs, 'ui', never)).toEqual([]);
  });

  test('a disabled upstream lists nothing, a failed one what was last known', () => {
    twoUpstreams();
    upstream('w/mail', { enabled: false, status: 'disabled' });
    upstream('w/fs', { status: 'failed' });
    expect(names({ ...everyone, scopeTags: ['*'] })).toEqual([
      'fs__list_directory',
      'fs__read_text_file',
      'fs__write_file',
    ]);
  });
});

describe('search', () => {
  const found = (query: string, viewer = everyone, of?: string) =>
    catalog.search(viewer, query, 5, of).found.map(({ tool }) => tool.exposedName);

  test('"read a text file" ranks the reader first', () => {
    twoUpstreams();
    expect(found('read a text file')[0]).toBe('fs__read_text_file');
    expect(found('mail: send a letter')[0]).toBe('mail__send_message');
  });

  test('a client finds only what it may see', () => {
    twoUpstreams();
    expect(found('send an e-mail message', onlyFs)).not.toContain('mail__send_message');
    expect(JSON.stringify(catalog.search(onlyFs, 'send an e-mail message', 5).notes)).not.toContain('mail__');
  });

  test('an upstream can be named, exactly', () => {
    twoUpstreams();
    expect(found('send a file', everyone, 'fs')).not.toContain('mail__send_message');
    expect(catalog.search(everyone, 'x', 5, 'fss')).toEqual({
      found: [],
      notes: ['There is no upstream "fss". Did you mean fs?'],
    });
    expect(catalog.search(onlyFs, 'x', 5, 'mail')).toEqual({
      found: [],
      notes: ['There is no upstream "mail". There are: fs.'],
    });
  });

  test('an empty query lists, and says how much more there is', () => {
    twoUpstreams();
    const { found, notes } = catalog.search(everyone, ' ', 2);
    expect(found.map(({ tool }) => tool.exposedName)).toEqual(['fs__list_directory', 'fs__read_text_file']);
    expect(notes).toEqual(['2 more tools; say what you want to do to find the right one.']);
    expect(catalog.search(everyone, '', 10, 'mail').notes).toEqual([]);
  });

  test('nothing found gives advice and the closest names', () => {
    twoUpstreams();
    expect(catalog.search(everyone, 'wrte fle', 5)).toEqual({
      found: [],
      notes: [
        'Nothing found among 4 tools. Closest names: fs__write_file. Ask for one thing at a time, as "product: verb object", e.g. "github: list issues".',
      ],
    });
    expect(catalog.search(everyone, '天気', 5).notes[0]).toMatch(/^Nothing found among 4 tools\. Ask for one thing/);
  });

  test('nothing connected is said', () => {
    expect(catalog.search(everyone, 'anything', 5)).toEqual({
      found: [],
      notes: ['No upstream is connected yet; the person adds one on the Upstreams page.'],
    });
  });

  test('text of an unreviewed server is neither found nor repeated, its label and the reason are', () => {
    twoUpstreams();
    upstream('w/github', { callsItself: 'EVIL SERVER', reason: 'EVIL REASON' });
    const tools = Array.from({ length: 12 }, (_, index) =>
      definition(`evil_${index}`, { description: 'read a text file' }),
    );
    inventory.takeIn('w/github', ENDPOINT, tools);
    const result = catalog.search(everyone, 'read a text file evil', 50);
    expect(result.notes).toEqual(['github: 12 tools await their first review by the person.']);
    expect(JSON.stringify(result)).not.toMatch(/evil/i);
  });

  test('every state that hides tools has its note', () => {
    twoUpstreams();
    upstream('w/fs', { enabled: false, status: 'disabled' });
    upstream('w/a', { status: 'starting' });
    upstream('w/b', { status: 'failed', reason: 'EVIL' });
    upstream('w/c', { status: 'stopped' });
    inventory.takeIn('w/mail', ENDPOINT, [definition('send_message', { title: 'New' }), definition('later')]);
    expect(catalog.search(everyone, 'zzz', 5)).toEqual({
      found: [],
      notes: [
        expect.stringMatching(/^Nothing found among 1 tool\./),
        'a: still starting; search again in a few seconds.',
        'b: failed to start or stopped answering; the person sees why on the Upstreams page.',
        'c: not running; the person can start it on the Upstreams page.',
        'fs: disabled by the person; its tools are not available.',
        'mail: 1 tool awaits its review by the person.',
        'mail: 1 tool has changed and cannot be called before the person reviews the change.',
      ],
    });
  });

  test('a tool is found at once after its review, and no longer when it is gone', () => {
    twoUpstreams();
    expect(found('reverse', everyone, 'fs')).toEqual([]);
    const reverse = definition('reverse_string', { description: 'Reverses a string.' });
    reviewed(inventory, 'w/fs', [reverse]);
    expect(found('reverse')[0]).toBe('fs__reverse_string');
    inventory.takeIn('w/fs', ENDPOINT, []);
    expect(found('reverse')).toEqual([]);
  });
});
