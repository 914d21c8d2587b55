import { describe, expect, test } from 'vitest';
import { buildSearch, searchIn } from '../../../electron/core/catalog/search.ts';
import { createSegment, type SearchDocument } from '../../../electron/core/catalog/search-segment.ts';
import { processorMs } from '../../support/promptly.ts';

function tool(
  upstream: string,
  name: string,
  description: string,
  parameters: Record<string, string> = {},
): SearchDocument {
  const properties = Object.entries(parameters).map(([key, text]) => [key, { type: 'string', description: text }]);
  return { upstream, name, description, inputSchema: { type: 'object', properties: Object.fromEntries(properties) } };
}

const TOOLS: readonly SearchDocument[] = [
  tool('fs', 'read_text_file', 'Read the complete contents of a file as text. Handles encodings.', {
    path: 'Where it is',
  }),
  tool('fs', 'read_media_file', 'Read an image or audio file. Returns base64.', { path: 'Where it is' }),
  tool('fs', 'write_file', 'Create a new file or overwrite an existing one.', { path: 'Where', content: 'New text' }),
  tool('fs', 'list_directory', 'Get a listing of everything in a directory.', { path: 'Where' }),
  tool('fs', 'directory_tree', 'Get a recursive tree of files as JSON.', { path: 'Where' }),
  tool('github', 'create_issue', 'Open a new issue in a repository.', { title: 'Title', body: 'Text' }),
  tool('github', 'list_issues', 'List the issues of a repository.', { state: 'open or closed' }),
  tool('github', 'deleteBranch', 'Deletes a branch of a repository.'),
  tool('mail', 'sendEmail', 'Sends a message.', { recipient: 'Address of the person', subject: 'What it is about' }),
  tool('mail', 'search_mail', 'Finds messages.', { query: 'Words to look for' }),
  tool('clock', 'now', 'Tells the time.', { timezone: 'IANA time zone such as Europe/Paris' }),
  tool('todo', 'list_items', 'Lists what is to be done.'),
  tool('todo', 'remove_item', 'Takes one off the list.'),
];

const first = (query: string) => {
  const hit = buildSearch(TOOLS)(query, 5)[0];
  const found = hit && TOOLS[hit.index];
  return found ? `${found.upstream} ${found.name}` : null;
};

const claims: readonly (readonly [string, string])[] = [
  ['read a text file', 'fs read_text_file'],
  ['filesystem: read text file', 'fs read_text_file'],
  ['list_directory', 'fs list_directory'],
  ['show what is in a folder', 'fs list_directory'],
  ['listDirectory', 'fs list_directory'],
  ['github: list issues', 'github list_issues'],
  ['Please open a ticket', 'github create_issue'],
  ['erase the branch', 'github deleteBranch'],
  ['send_email', 'mail sendEmail'],
  ['send an e-mail to jane@example.com with the subject "list of issues in the directory"', 'mail sendEmail'],
  ['what time is it in Paris?', 'clock now'],
  ['delete an item', 'todo remove_item'],
  ['enumerate items', 'todo list_items'],
];

test.each(claims)('%j finds %s first', (query, expected) => {
  expect(first(query)).toBe(expected);
});

const pairs: readonly (readonly [string, string, SearchDocument, SearchDocument])[] = [
  [
    'a value in quotes does not count like what is said',
    'send a message: "create the issue in a repository"',
    tool('b', 'send_message', 'Sends text to a person.'),
    tool('a', 'create_issue', 'Opens an issue in a repository.'),
  ],
  [
    'a tool that does something else falls behind',
    'get the release of the project',
    tool('a', 'get_release_by_id', 'About a release of some project or other.'),
    tool('a', 'create_release', 'Release of the project; project release.'),
  ],
  [
    'a name that is wholly spoken of comes before one that is so in part',
    'get page',
    tool(
      'a',
      'get_page',
      'Returns the whole of it as it is stored for the person who reads it and for others who may come.',
    ),
    tool('a', 'get_page_views_by_country', 'Page. Page page.'),
  ],
];

test.each(pairs)('%s', (_, query, better, worse) => {
  expect(buildSearch([worse, better])(query, 2).map(({ index }) => index)).toEqual([1, 0]);
});

test('best comes first, no more than asked for, nothing that has no word in common', () => {
  const hits = buildSearch(TOOLS)('read a text file', 3);
  expect(hits).toHaveLength(3);
  expect(hits.map(({ score }) => score)).toEqual(hits.map(({ score }) => score).toSorted((a, b) => b - a));
  expect(buildSearch(TOOLS)('xyzzy', 5)).toEqual([]);
  expect(buildSearch(TOOLS)('', 5)).toEqual([]);
  expect(buildSearch(TOOLS)('the of and', 0)).toEqual([]);
  expect(buildSearch([])('read', 5)).toEqual([]);
});

test('other scripts are searched as they are written', () => {
  const search = buildSearch([
    tool('w', 'weather', 'Wetter für Zürich'),
    tool('w', 'map', 'Карта города'),
    tool('w', 'rain', '高德天气查询助手'),
  ]);
  expect(search('zürich', 1)[0]?.index).toBe(0);
  expect(search('карта', 1)[0]?.index).toBe(1);
  expect(search('查询天气', 1)[0]?.index).toBe(2);
});

test('searched in parts, one per upstream, tools rank as they do in one piece', () => {
  const upstreams = [...new Set(TOOLS.map(({ upstream }) => upstream))];
  const parts = upstreams.map((name) => TOOLS.filter(({ upstream }) => upstream === name));
  for (const [query] of claims) {
    const whole = buildSearch(TOOLS)(query, 20).map(({ index, score }) => [TOOLS[index]?.name, score]);
    const split = searchIn(parts.map(createSegment), query, 20).map(({ segment, index, score }) => [
      parts[segment]?.[index]?.name,
      score,
    ]);
    expect(split).toEqual(whole);
  }
});

describe('nothing an upstream or agent sends makes it slow or breaks it', () => {
  test('schemas that are no schemas', () => {
    const odd = [
      null,
      5,
      'x',
      [],
      { properties: null },
      { properties: { a: null } },
      { enum: [1, null, {}] },
      { anyOf: 3 },
    ];
    const search = buildSearch(
      odd.map((inputSchema, index) => ({ upstream: 'u', name: `n${index}`, description: '', inputSchema })),
    );
    expect(search('n3', 1)[0]?.index).toBe(3);
  });

  test('words that are members of every object', () => {
    expect(() => buildSearch(TOOLS)('constructor __proto__ toString hasOwnProperty', 5)).not.toThrow();
    const search = buildSearch([tool('js', 'constructor', '__proto__ toString')]);
    expect(search('constructor', 1)[0]?.index).toBe(0);
  });

  test('a query of 1,000 characters, whatever they are', () => {
    const search = buildSearch(TOOLS);
    for (const unit of ['a', '"', "'", '<', 'read ', '@', 'a.@', 'https://', 'aA', '`x']) {
      expect(processorMs(() => search(unit.repeat(1000 / unit.length), 10))).toBeLessThan(200);
    }
  });

  test('1,000 tools are made searchable in under 200 ms', () => {
    const text = 'Returns every record that matches the filter, newest first, with its fields and relations. '.repeat(
      4,
    );
    const many = Array.from({ length: 1000 }, (_, index) => tool('u', `get_record_${index}`, text, { path: text }));
    const took = [1, 2, 3].map(() => processorMs(() => createSegment(many)));
    expect(Math.min(...took)).toBeLessThan(200);
  });
});
