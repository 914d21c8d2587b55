/**
 * Cuts a stream of bytes into lines without looking into them. A line is handed on without its end; one beyond `limit`
 * bytes is dropped to its end, and `onTooLong` says so once.
 */
export function createByteLines(
  onLine: (line: Buffer) => void,
  limit: number,
  onTooLong: () => void = () => {},
): (chunk: Buffer) => void {
  let pending: Buffer[] = [];
  let length = 0;
  let dropping = false;
  const keep = (part: Buffer) => {
    length += part.length;
    if (dropping || part.length === 0) return;
    if (length <= limit) return void pending.push(part);
    pending = [];
    dropping = true;
    onTooLong();
  };
  return (chunk) => {
    let from = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, from)) {
      keep(chunk.subarray(from, end));
      const line = pending.length === 1 ? (pending[0] ?? EMPTY) : Buffer.concat(pending);
      const wasDropped = dropping;
      pending = [];
      length = 0;
      dropping = false;
      from = end + 1;
      if (!wasDropped) onLine(line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, -1) : line);
    }
    keep(chunk.subarray(from));
  };
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const EMPTY = Buffer.alloc(0);
