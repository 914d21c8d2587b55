/**
 * Puts in the values of `${NAME}`, as service files and JSON configurations leave them when no shell has read them.
 * A variable that is not set is named, never taken for an empty one.
 */
export function expandVariables(
  text: string,
  where: string,
  env: Readonly<Record<string, string | undefined>>,
): { readonly kind: 'expanded'; readonly text: string } | { readonly kind: 'fault'; readonly message: string } {
  const absent = [...text.matchAll(VARIABLE)].map((match) => match[1] ?? '').find((name) => env[name] === undefined);
  if (absent !== undefined) {
    return {
      kind: 'fault',
      message: `${where} names the environment variable ${absent}, which is not set; set it or write the path out.`,
    };
  }
  return { kind: 'expanded', text: text.replace(VARIABLE, (_, name: string) => env[name] ?? '') };
}

const VARIABLE = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;
