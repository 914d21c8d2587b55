import { Label, Radio, RadioGroup } from 'react-aria-components';

/** One of a few values, side by side. */
export function Choice<T extends string>(props: {
  readonly label: string;
  readonly value: T;
  readonly values: Readonly<Partial<Record<T, string>>>;
  onChange(value: T): void;
}) {
  const values = Object.keys(props.values) as T[];
  return (
    <RadioGroup
      className="choice"
      value={props.value}
      onChange={(text) => {
        const value = values.find((one) => one === text);
        if (value !== undefined) props.onChange(value);
      }}
    >
      <Label>{props.label}</Label>
      <div className="segments">
        {values.map((value) => (
          <Radio key={value} value={value}>
            {props.values[value]}
          </Radio>
        ))}
      </div>
    </RadioGroup>
  );
}
