import * as zlib from 'node:zlib'

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
  return value
})

/** CRC-32 of ISO 3309, for a Node whose zlib has none (before 20.15). `seed` continues an earlier checksum. */
export function crc32Table(bytes: Uint8Array, seed = 0): number {
  let value = ~seed
  for (let index = 0; index < bytes.length; index++) value = TABLE[(value ^ bytes[index]!) & 0xff]! ^ (value >>> 8)
  return ~value >>> 0
}

const native = (zlib as { crc32?: (bytes: Uint8Array, seed?: number) => number }).crc32

/** CRC-32 of ISO 3309, as gzip and PNG have it. `seed` continues an earlier checksum. */
export const crc32: (bytes: Uint8Array, seed?: number) => number = native ?? crc32Table
