import { HubError } from '../../protocol/index.ts'
import type { Account } from '../core/account.ts'
import { mustBeFree } from '../core/files/actions.ts'
import { contentBytes, holdContent } from '../core/files/contents.ts'
import type { Hub } from '../core/hub.ts'
import { Origin } from '../core/origin.ts'
import { refusalOfDevice } from '../core/policy.ts'
import type { UploadOutcome, UploadRecord } from './upload-record.ts'
import type { UploadParts } from './uploads.ts'

const PAGE = 1_000

/** What uploads ask of the hub: the account's contents, and a finished upload put at its path as an action of the device that began it. */
export const createPublishing = (
  hub: Hub
): Pick<UploadParts, 'contentBytes' | 'mustTakeFile' | 'publish' | 'mustTakeWrites'> => ({
  contentBytes: async id => contentBytes(await hub.ensureAccount(id)),
  async mustTakeFile(id, path) {
    const account = await hub.ensureAccount(id)
    // Whatever an action would say at its end.
    if (account.isFull) throw new HubError('quota-exceeded')
    mustBeFree(account.views, path)
  },
  mustTakeWrites: () => hub.mustTakeWrites(),
  async publish(upload, isAgain) {
    const account = await hub.ensureAccount(upload.account)
    const { device, path, sha256, sizeBytes, mtimeMs, base } = upload
    // The bytes are a blob already, and stay: they count, whatever becomes of the file.
    await holdContent(account, device, sha256, sizeBytes)
    const refusal = refusalOfDevice(account.views, device)
    if (refusal !== undefined) throw refusal
    const before = isAgain ? publishedBefore(account, upload) : undefined
    const body = { sha256, sizeBytes, ...(mtimeMs !== undefined && { mtimeMs }), ...(base !== undefined && { base }) }
    const cursor = before ?? (await account.perform(new Origin(device, ''), 'file.put', path, body))
    const isConflict = account.views.get('conflicts', String(cursor)) !== undefined
    return { cursor, ...(isConflict && { conflict: String(cursor) }) } satisfies UploadOutcome
  }
})

/** The cursor of what a hub that was killed had written of an upload already: it must neither be put over what came since, nor be a conflict with itself. */
function publishedBefore({ views }: Account, { path, sha256, device, openedAtMs }: UploadRecord): number | undefined {
  const isOurs = (by: string, content: { sha256: string } | null, timeUs: number): boolean =>
    by === device && content?.sha256 === sha256 && timeUs >= openedAtMs * 1_000
  const versions = views.get('fileHistories', path)?.versions ?? []
  const version = versions.find(({ device: by, content, timeUs }) => isOurs(by, content, timeUs))
  if (version !== undefined) return version.cursor
  for (const page of views.pages('conflicts', [], PAGE))
    for (const [id, { path: at, device: by, client, createdAtUs }] of page)
      if (at === path && isOurs(by, client, createdAtUs)) return Number(id)
  return undefined
}
