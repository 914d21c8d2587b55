import type { ApprovalView } from '../../shared/model.ts';
import { parseExact } from './exact-json.ts';
import { type Field, fieldsOf } from './fields.ts';
import { type SecretRange, secretsIn } from './secrets.ts';

/** Calls of one tool beside each other: what is the same in all of them, and what is not. */
export interface Table {
  /** Pointers of the values that differ, or are not in all of them; `null`: whole texts are compared, as one is not JSON. */
  readonly columns: readonly string[] | null;
  /** Values that are the same in all. */
  readonly common: readonly Field[];
  readonly rows: readonly Row[];
}

export interface Row {
  readonly approval: ApprovalView;
  readonly values: ReadonlyMap<string, Field>;
  readonly secrets: readonly SecretRange[];
}

/** @param calls rows of one card. */
export function tableOf(calls: readonly ApprovalView[]): Table {
  const rows = calls.map((approval) => {
    const json = parseExact(approval.argumentsText);
    const fields = json && json.kind === 'object' ? fieldsOf(json, approval.argumentsText) : null;
    // Two members of one name never come this far, and are no table if they do.
    const values = new Map((fields ?? []).map((field) => [field.pointer, field] as const));
    const isRow = fields !== null && values.size === fields.length;
    return { approval, values, secrets: json ? secretsIn(json) : [], isRow };
  });
  if (rows.some(({ isRow }) => !isRow)) return { columns: null, common: [], rows };
  const pointers = new Set(rows.flatMap(({ values }) => [...values.keys()]));
  const [first] = rows;
  const isCommon = (pointer: string) => {
    const text = first?.values.get(pointer)?.text;
    return text !== undefined && rows.every(({ values }) => values.get(pointer)?.text === text);
  };
  const common = [...pointers].filter(isCommon).flatMap((pointer) => first?.values.get(pointer) ?? []);
  return { columns: [...pointers].filter((pointer) => !isCommon(pointer)), common, rows };
}
