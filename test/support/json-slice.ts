/**
 * The text of the value of `"<member>":` where it first stands in a line of JSON, found by counting brackets: written
 * apart from the program's own reader, so that both cannot be wrong in the same way.
 */
export function sliceAfter(line: string, member: string): string {
  const start = line.indexOf(`"${member}":`) + member.length + 3;
  let depth = 0;
  let inString = false;
  for (let at = start; at < line.length; at += 1) {
    const character = line[at];
    if (inString) {
      if (character === '\\') at += 1;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') depth -= 1;
    if (depth === 0 && !inString) return line.slice(start, at + 1);
  }
  throw new Error(`no ${member} in the line`);
}
