import type { Account } from '../account.ts'
import type { FileRecord } from '../records.ts'
import type { Views } from '../views.ts'

/** The file that is at a path now; undefined when none is, or none any more. */
export function fileAt(views: Views, path: string): FileRecord | undefined {
  const file = views.get('files', path)
  return file === undefined || file.removed ? undefined : file
}

/**
 * Notes that the hub holds these bytes for the account: from then on they can be put at a path. Their blob MUST be on disk. Resolves once that is durable.
 * @param device who brought them
 */
export async function holdContent(account: Account, device: string, sha256: string, sizeBytes: number): Promise<void> {
  if (account.views.get('contents', sha256) === undefined)
    await account.write('content.put', sha256, { sizeBytes }, { by: device })
  else await account.settled()
}

/** Bytes of the contents that the hub holds for the account. */
export const contentBytes = (account: Account): number => account.views.get('fileTotals')?.contentBytes ?? 0
