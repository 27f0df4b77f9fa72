import { createHash } from 'node:crypto'

const GUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/

/** The GUID of something that has another id: always the same, by a name of it that nothing else has (RFC 9562, version 5). */
export function guidNamed(...name: readonly string[]): string {
  const bytes = createHash('sha1').update(name.join('\n')).digest().subarray(0, 16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x50
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

/** Whether a GUID may be one that is made of another id. */
export const isMade = (guid: string): boolean => guid[14] === '5'

/** What an annotation is called: its id where that is a GUID, as those have that come from this API. */
export const guidOf = (book: string, id: string): string => (GUID.test(id) ? id : guidNamed('annotation', book, id))
