import { FileStorage } from '../../../client/node/storage-file.ts'
import { StorageTakenError } from '../../../client/storage.ts'

/** A process that opens the storage which it is told, and says whether it got it; without a path it closes that. Run by lock-file.test.ts. */
let held: FileStorage | undefined
const asked = async (path: string | undefined): Promise<boolean> => {
  await held?.close()
  held = undefined
  if (path === undefined) return false
  try {
    held = await FileStorage.open(path)
    return true
  } catch (error) {
    if (!(error instanceof StorageTakenError)) throw error
    return false
  }
}
process.on('message', ({ path }: { path?: string }) => void asked(path).then(has => process.send!(has)))
process.once('disconnect', () => process.exit())
process.send!(true)
