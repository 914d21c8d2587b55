// Adapter between the tool-search evaluation (a module with `build(tools, opts)`) and the ranking of find_tools:
//   node <evaluation>/eval.mjs --module scripts/toolsearch-ranker.mjs --scope pooled
import { buildSearch, WEIGHTS } from '../electron/core/catalog/search.ts';

export default async function build(tools, options) {
  const documents = tools.map(({ server, name, description, inputSchema }) => ({
    upstream: server,
    name,
    description: description ?? '',
    inputSchema,
  }));
  const search = buildSearch(documents, { ...WEIGHTS, ...options });
  return {
    search: (query, limit) => search(query, limit).map(({ index }) => `${tools[index].server}/${tools[index].name}`),
  };
}
