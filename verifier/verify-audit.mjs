#!/usr/bin/env node
/*
 * Checks an export of Gatehouse's audit (`gatehouse audit export`) without Gatehouse: one file, nothing to install, any
 * Node from 18 on. The format is docs/audit-format.md.
 *
 *   node verify-audit.mjs audit-….jsonl [--key public-key.pem]
 *
 * Without --key it trusts the public key that stands in the export: then compare the printed key id with one that you got
 * another way. Exit code 0: valid. 1: not valid. 2: it could not be checked.
 */
import { createHash, createPublicKey, verify } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';

const MEMBERS = [
  'seq',
  'at',
  'phase',
  'kind',
  'request_id',
  'workspace',
  'client_id',
  'client',
  'key_prefix',
  'upstream',
  'tool',
  'effect',
  'rule',
  'outcome',
  'error_class',
  'detail',
  'prev',
];
const CHECKPOINT = ['seq', 'hash', 'number', 'chain', 'publicKey'];

class NotValid extends Error {}

const fail = (sentence) => {
  throw new NotValid(sentence);
};
const keyOf = (base64) => createPublicKey({ key: Buffer.from(base64, 'base64'), format: 'der', type: 'spki' });
const idOf = (key) =>
  createHash('sha256')
    .update(key.export({ format: 'der', type: 'spki' }))
    .digest('hex')
    .slice(0, 16);

function entryHash(entry) {
  let text = 'gatehouse audit entry 1\n';
  for (const name of MEMBERS) {
    const value = entry[name];
    text += value === null ? '-\n' : `${Buffer.byteLength(String(value))}:${value}\n`;
  }
  return createHash('sha256').update(text).digest('hex');
}

/** Takes the lines of an export one by one; nothing is kept of those that were checked. */
function createCheck(print) {
  let header = null;
  let last = { seq: 0, hash: '0'.repeat(64) };
  let signedUpTo = 0;
  let number = 0;
  let key = null;
  let entries = 0;
  let checkpoint = null;
  let isTold = false;

  function begin(line) {
    if (line.type !== 'header' || line.format !== 'gatehouse-audit')
      fail('the first line is not the header of an export of the whole audit');
    if (line.formatVersion !== 1 && line.formatVersion !== 2)
      fail(`this is format ${line.formatVersion}; this verifier knows 1 and 2`);
    header = line;
    checkpoint = line.checkpoint ?? null;
    if (checkpoint === null) return;
    last = { seq: checkpoint.seq, hash: checkpoint.hash };
    signedUpTo = checkpoint.seq;
    number = checkpoint.number;
    key = keyOf(checkpoint.publicKey);
  }

  function entry(line) {
    if (line.seq !== last.seq + 1) fail(`entry ${last.seq + 1} is missing`);
    if (line.prev !== last.hash) fail(`entry ${line.seq} does not follow the entry before it`);
    if (entryHash(line) !== line.hash) fail(`entry ${line.seq} was changed`);
    if (line.kind === 'chain_started' || line.kind === 'signing_key_changed') {
      key = keyOf(JSON.parse(line.detail).publicKey);
      if (line.kind === 'signing_key_changed') print(`note: another key signs from entry ${line.seq} on`);
    }
    if (line.kind === 'tampering_found') print(`note: at entry ${line.seq} a start of Gatehouse found the log changed`);
    if (line.kind === 'audit_purged' && checkpoint !== null) {
      const told = JSON.parse(line.detail).checkpoint ?? {};
      if (CHECKPOINT.every((name) => told[name] === checkpoint[name])) isTold = true;
    }
    last = { seq: line.seq, hash: line.hash };
    entries += 1;
  }

  function commit(line) {
    if (line.seq !== last.seq || line.hash !== last.hash || line.number !== number + 1)
      fail(`the commit after entry ${last.seq} is not its own`);
    const text = Buffer.from(`gatehouse audit head 1\n${line.number}\n${line.seq}\n${line.hash}\n`);
    const isSigned =
      key !== null && line.key_id === idOf(key) && verify(null, text, key, Buffer.from(line.signature, 'base64'));
    if (!isSigned) fail(`the signature after entry ${last.seq} is not valid`);
    signedUpTo = line.seq;
    number = line.number;
  }

  return {
    take(line) {
      if (header === null) begin(line);
      else if (line.type === 'entry') entry(line);
      else if (line.type === 'commit') commit(line);
      else fail(`after entry ${last.seq} there is a line that is neither entry nor commit`);
    },
    /** What was found; `trusted` is the key that the checker brought, or null. */
    end(trusted) {
      if (header === null) fail('it is empty');
      if (header.head === null || header.head === undefined) fail('the header names no head');
      if (last.seq !== header.head.seq || last.hash !== header.head.hash)
        fail(`it ends at entry ${last.seq}, its header says ${header.head.seq}`);
      if (signedUpTo !== last.seq) fail(`entries from ${signedUpTo + 1} on are not signed`);
      if (entries !== header.entries) fail(`it holds ${entries} entries, its header says ${header.entries}`);
      if (checkpoint !== null && !isTold)
        fail(`entries 1 to ${checkpoint.seq} are missing, and no signed entry says that retention removed them`);
      const signer = idOf(key);
      if (idOf(createPublicKey(header.publicKey)) !== signer)
        fail('the key in the header is not the one that signed the end');
      if (trusted !== null && idOf(trusted) !== signer)
        fail(`it is signed by key ${signer}, not by the one you gave (${idOf(trusted)})`);
      return { entries, from: last.seq - entries + 1, to: last.seq, signer, checkpoint };
    },
  };
}

/** Lines end with a line feed and nothing else: node:readline would part them at U+2028 as well. */
async function* linesOf(path) {
  let rest = '';
  for await (const chunk of createReadStream(path, 'utf8')) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop();
    yield* lines;
  }
  if (rest !== '') yield rest;
}

async function main([...words]) {
  const at = words.indexOf('--key');
  const [, keyFile] = at < 0 ? [] : words.splice(at, 2);
  const [path, ...more] = words;
  if (path === undefined || more.length > 0 || (at >= 0 && keyFile === undefined)) {
    console.error('node verify-audit.mjs audit-….jsonl [--key public-key.pem]');
    return 2;
  }
  const trusted = keyFile === undefined ? null : createPublicKey(readFileSync(keyFile));
  const check = createCheck((note) => console.log(note));
  let count = 0;
  for await (const text of linesOf(path)) {
    count += 1;
    if (text === '') continue;
    let line;
    try {
      line = JSON.parse(text);
    } catch {
      fail(`line ${count} is not JSON`);
    }
    check.take(line);
  }
  const { entries, from, to, signer, checkpoint } = check.end(trusted);
  if (checkpoint !== null)
    console.log(`note: entries 1 to ${checkpoint.seq} were removed by retention, as a signed entry says`);
  console.log(`valid: ${entries} entries, ${from} to ${to}, signed by key ${signer}`);
  if (trusted === null)
    console.log('The key is the one in the export. Compare its id with one you got another way, or give --key.');
  return 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(
    error instanceof NotValid ? `NOT VALID: ${error.message}` : `It could not be checked: ${error.message}`,
  );
  process.exitCode = error instanceof NotValid ? 1 : 2;
}
