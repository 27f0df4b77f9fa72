import { claim, type Claim } from '../../../server/storage/owner.ts'

/** A process that claims the store which it is told, and says whether it got it; without a path it releases that. Run by owner.test.ts. */
let held: Claim | undefined
process.on('message', ({ path }: { path?: string }) => {
  let has = false
  if (path === undefined) held?.release()
  else
    try {
      held = claim(path)
      has = true
    } catch (error) {
      if (!(error as Error).message.startsWith(`another process (pid `)) throw error
    }
  if (!has) held = undefined
  process.send!(has)
})
process.once('disconnect', () => process.exit())
process.send!(true)
