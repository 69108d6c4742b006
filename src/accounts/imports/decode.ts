import { isUtf8 } from 'node:buffer'

/** Stands in a text for bytes that are no character. */
export const noCharacter = '\ufffd'

/** So many bytes are decoded at a time: as text a file takes up to three times its size, and other requests wait while it is decoded. */
const decodedAtOnce = 16 * 1024

/**
 * The text of a file, a part at a time, which ends with a line where it can. A byte order mark names its encoding.
 * Without one each line is judged alone, because files are pasted together: UTF-8, or what Excel writes on Windows.
 */
export function* decode(file: Uint8Array): Generator<string> {
  const encoding = markedEncoding(file)
  if (encoding) return yield* decodeAs(encoding, file)
  let beside: boolean | undefined
  for (let at = 0; at < file.length; ) {
    const part = file.subarray(at, endOfPart(file, at))
    at += part.length
    if (isUtf8(part)) {
      yield utf8.decode(part)
      continue
    }
    beside ??= holdsUtf8(file.subarray(0, 4 * decodedAtOnce))
    const odd = beside
    yield [...linesOf(part)].map((line) => decodeLine(line, odd)).join('')
  }
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

function* decodeAs(encoding: string, file: Uint8Array): Generator<string> {
  const decoder = new TextDecoder(encoding)
  for (let at = 0; at < file.length; at += decodedAtOnce)
    yield decoder.decode(file.subarray(at, at + decodedAtOnce), { stream: true })
  yield decoder.decode()
}

/** UTF-16 is also known without its mark: every other byte of Latin letters is 0. */
function markedEncoding([first = 1, second = 1, third = 1, fourth = 1]: Uint8Array): string | undefined {
  if (first === 0xff && second === 0xfe) return 'utf-16le'
  if (first === 0xfe && second === 0xff) return 'utf-16be'
  if (first === 0xef && second === 0xbb && third === 0xbf) return 'utf-8'
  if (first && !second && third && !fourth) return 'utf-16le'
  if (!first && second && !third && fourth) return 'utf-16be'
  return undefined
}

/** Behind the last line that ends in the next part; in the middle of a line that is longer, between two characters. */
function endOfPart(file: Uint8Array, at: number): number {
  const most = at + decodedAtOnce
  if (most >= file.length) return file.length
  const end = file.subarray(at, most).lastIndexOf(0x0a) + 1
  if (end > 0) return at + end
  let cut = most
  while (cut > most - 4 && ((file[cut] ?? 0) & 0xc0) === 0x80) cut--
  return cut
}

/** Lines with what ends them. */
function* linesOf(part: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < part.length; ) {
    const ends = part.subarray(at).findIndex((byte) => byte === 0x0a || byte === 0x0d)
    const end = ends < 0 ? part.length : at + ends + 1
    yield part.subarray(at, end)
    at = end
  }
}

/** Two to four bytes that are one character in UTF-8, in text of Latin-1. */
const sequence = /[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}/

const asLatin1 = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')

function holdsUtf8(start: Uint8Array): boolean {
  for (const line of linesOf(start)) if (isUtf8(line) && sequence.test(asLatin1(line))) return true
  return false
}

/** A line with only a few bytes that are not UTF-8 is still UTF-8 if other lines are. */
function decodeLine(line: Uint8Array, beside: boolean): string {
  if (isUtf8(line)) return utf8.decode(line)
  const latin1 = asLatin1(line)
  if (beside && sequence.test(latin1)) return utf8.decode(line)
  return latin1.replaceAll(/[\x80-\x9f]/g, (byte) => windows1252[byte.charCodeAt(0) - 0x80] ?? noCharacter)
}

/**
 * Bytes 80 to 9F of Windows-1252 (WHATWG Encoding, index-windows-1252); five of them are no character. A table, since
 * the TextDecoder of Node 20 reads them as Latin-1.
 */
const windows1252 = '€\ufffd‚ƒ„…†‡ˆ‰Š‹Œ\ufffdŽ\ufffd\ufffd‘’“”•–—˜™š›œ\ufffdžŸ'
