import { useId } from 'react';
import { Button, Input, SearchField } from 'react-aria-components';
import type { RequestInput } from '../../shared/api.ts';
import type { Effect } from '../../shared/model.ts';

export type AuditFilters = Omit<RequestInput<'auditList'>, 'before' | 'limit' | 'requestId'>;

const TEXTS = {
  client: 'Client',
  upstream: 'Upstream',
  tool: 'Tool',
  rule: 'Rule',
  outcome: 'Outcome',
  errorClass: 'Error class',
  kind: 'Event',
  workspace: 'Workspace',
} as const satisfies Partial<Record<keyof AuditFilters, string>>;

const EFFECTS: Readonly<Record<Effect, string>> = { allow: 'allow', require_approval: 'ask', deny: 'deny' };

/** Which records are shown: words in them, who and what, the decision, and from when to when. */
export function AuditFilterBar(props: { readonly filter: AuditFilters; onChange(filter: AuditFilters): void }) {
  const { filter } = props;
  const decision = useId();
  const change = (name: keyof AuditFilters, value: string | number | undefined) => {
    const { [name]: _, ...others } = filter;
    props.onChange(value === '' || value === undefined ? others : { ...others, [name]: value });
  };
  return (
    <search className="filters">
      <SearchField
        className="search"
        aria-label="Words in records"
        value={filter.text ?? ''}
        maxLength={200}
        onChange={(value) => change('text', value)}
      >
        <Input placeholder="Search records: words, names, pieces of paths" />
      </SearchField>
      {Object.entries(TEXTS).map(([name, label]) => (
        <SearchField
          key={name}
          className="filter"
          aria-label={label}
          value={filter[name as keyof typeof TEXTS] ?? ''}
          onChange={(value) => change(name as keyof typeof TEXTS, value)}
        >
          <Input placeholder={label} spellCheck="false" />
        </SearchField>
      ))}
      <label className="filter" htmlFor={decision}>
        <span className="quiet">Decision</span>
        <select id={decision} value={filter.effect ?? ''} onChange={(event) => change('effect', event.target.value)}>
          <option value="">any</option>
          {Object.entries(EFFECTS).map(([effect, label]) => (
            <option key={effect} value={effect}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <Moment label="From" at={filter.from} onChange={(at) => change('from', at)} />
      <Moment label="Before" at={filter.to} onChange={(at) => change('to', at)} />
      {Object.keys(filter).length > 0 && (
        <Button className="link" onPress={() => props.onChange({})}>
          Clear
        </Button>
      )}
    </search>
  );
}

function Moment(props: {
  readonly label: string;
  readonly at: number | undefined;
  onChange(at: number | undefined): void;
}) {
  const id = useId();
  return (
    <label className="filter" htmlFor={id}>
      <span className="quiet">{props.label}</span>
      <input
        id={id}
        type="datetime-local"
        value={props.at === undefined ? '' : localText(props.at)}
        onChange={(event) => {
          const at = new Date(event.target.value).getTime();
          props.onChange(Number.isFinite(at) ? at : undefined);
        }}
      />
    </label>
  );
}

/** As `datetime-local` takes it: this machine's time without its zone. */
function localText(at: number): string {
  return new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
