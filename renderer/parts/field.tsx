import { Input, Label, Text, TextField } from 'react-aria-components';

/** One line of text with its label; a secret is never shown, kept by the browser, or filled in by it. */
export function Field(props: {
  readonly label: string;
  readonly value: string;
  readonly placeholder?: string;
  readonly hint?: string;
  readonly isSecret?: boolean;
  readonly isCode?: boolean;
  readonly autoFocus?: boolean;
  readonly maxLength?: number;
  /** Why it cannot stay like this; null or absent: it can. */
  readonly problem?: string | null;
  onChange(value: string): void;
}) {
  const { label, value, placeholder = '', hint, isSecret = false, isCode = false, problem = null, onChange } = props;
  const said = problem ?? hint;
  return (
    <TextField
      className="field grow"
      value={value}
      type={isSecret ? 'password' : 'text'}
      autoComplete={isSecret ? 'new-password' : 'off'}
      isInvalid={problem !== null}
      autoFocus={props.autoFocus === true}
      {...(props.maxLength === undefined ? {} : { maxLength: props.maxLength })}
      onChange={onChange}
    >
      <Label>{label}</Label>
      <Input
        className={isCode || isSecret ? 'react-aria-Input mono' : 'react-aria-Input'}
        placeholder={placeholder}
        spellCheck="false"
      />
      {said !== undefined && <Text slot="description">{said}</Text>}
    </TextField>
  );
}
