import { useState } from 'react';
import { Button } from 'react-aria-components';
import { Field } from '../parts/field.tsx';
import { hostOf } from './words.ts';

/** The address of an upstream, to be read again and mended. */
export function UrlField(props: { readonly url: string; readonly isBusy: boolean; onSet(url: string): void }) {
  const [url, setUrl] = useState(props.url);
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        if (hostOf(url) !== null) props.onSet(url);
      }}
    >
      <Field
        label="URL"
        value={url}
        isCode
        autoFocus
        problem={hostOf(url) === null ? 'Write a whole address that begins with https:// or http://.' : null}
        onChange={setUrl}
      />
      <div className="actions">
        <Button type="submit" className="button accent" isDisabled={props.isBusy || hostOf(url) === null}>
          {props.isBusy ? 'Waiting…' : 'Save and try again'}
        </Button>
      </div>
    </form>
  );
}
