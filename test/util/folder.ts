import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from './suite.ts'

/** A new, empty folder, which is gone when the test ends. */
export function temporaryFolder({ defer }: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'lectern-test-'))
  defer(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
