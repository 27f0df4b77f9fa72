import { z } from '@hono/zod-openapi'
import { foldPath, isFilePath, SHA256 } from '../../../protocol/index.ts'
import type { FileContent } from '../../core/records.ts'

/** Where a file is: as the hub writes it, in Unicode NFC. */
export const pathShape = z
  .string()
  .max(4_096)
  .refine(path => isFilePath(foldPath(path)), 'not a path that every file system can hold')
  .openapi({ description: 'Relative, parted by `/`.', example: 'Austen/Emma.epub' })

export const sha256Shape = z
  .string()
  .regex(SHA256, 'not a SHA-256 in 64 lower-case hexadecimal digits')
  .openapi({ description: "SHA-256 of a file's bytes." })

export const sizeShape = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)

export const mtimeShape = z
  .number()
  .int()
  .min(0)
  .max(Number.MAX_SAFE_INTEGER)
  .openapi({ description: 'When the file was changed, by its device: milliseconds since 1970.' })

/** What a file is made of. */
export const contentShape = z
  .object({ sha256: sha256Shape, size_bytes: sizeShape, mtime_ms: mtimeShape.optional() })
  .openapi('Content')

export const contentJson = ({ sha256, sizeBytes, mtimeMs }: FileContent): z.infer<typeof contentShape> => ({
  sha256,
  size_bytes: sizeBytes,
  ...(mtimeMs !== undefined && { mtime_ms: mtimeMs })
})
