import type { Account } from '../account.ts'

/**
 * Notes that the hub holds these bytes for the account: from then on they can be put at a path. Their blob MUST be on disk. Resolves once that is durable.
 * @param device who brought them
 */
export async function holdContent(account: Account, device: string, sha256: string, sizeBytes: number): Promise<void> {
  if (account.views.get('contents', sha256) === undefined)
    await account.write('content.put', sha256, { sizeBytes }, undefined, device)
  else await account.settled()
}

/** What the contents take that the hub holds for the account. */
export const contentBytes = (account: Account): number => account.views.get('fileTotals')?.contentBytes ?? 0
