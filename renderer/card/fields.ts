import type { Json } from './exact-json.ts';

/** One value inside arguments that holds no other: text, number, true, false, null, or an empty object or list. */
export interface Field {
  /** JSON pointer (RFC 6901). */
  readonly pointer: string;
  /** Exactly as it is written. */
  readonly text: string;
  /** Where it stands in the whole text. */
  readonly from: number;
}

/** Every value of arguments, in their order. */
export function fieldsOf(json: Json, text: string, pointer = ''): readonly Field[] {
  if (json.kind === 'object' && json.members.length > 0) {
    return json.members.flatMap(({ name, value }) => fieldsOf(value, text, `${pointer}/${escaped(name)}`));
  }
  if (json.kind === 'array' && json.items.length > 0) {
    return json.items.flatMap((item, index) => fieldsOf(item, text, `${pointer}/${index}`));
  }
  return [{ pointer, text: text.slice(json.from, json.to), from: json.from }];
}

/** One value that is not the same in two texts; null: it is not there. */
export interface ChangedField {
  readonly pointer: string;
  readonly before: Field | null;
  readonly after: Field | null;
}

/** What differs between two arguments, in the order of the later ones, then what is gone. */
export function changedFields(before: readonly Field[], after: readonly Field[]): readonly ChangedField[] {
  const old = new Map(before.map((field) => [field.pointer, field] as const));
  const now = new Map(after.map((field) => [field.pointer, field] as const));
  const changed = after.flatMap((field) => {
    const was = old.get(field.pointer) ?? null;
    return was?.text === field.text ? [] : [{ pointer: field.pointer, before: was, after: field }];
  });
  const gone = before.flatMap((field) =>
    now.has(field.pointer) ? [] : [{ pointer: field.pointer, before: field, after: null }],
  );
  return [...changed, ...gone];
}

function escaped(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
