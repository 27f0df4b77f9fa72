import { CHANGELIST_PATH, mountChangelist, type ChangelistParts } from './dialects/changelist/index.ts'
import { EPUB_PATHS, mountEpub, type ShellParts } from './dialects/epub/index.ts'
import { createOperations, type EpubParts } from './dialects/epub/operations.ts'
import { LIBRARY_PATH, mountLibrary, type LibraryParts } from './dialects/feed/index.ts'
import { KOSYNC_PATHS, mountKosync, type KosyncParts } from './dialects/kosync/index.ts'
import { mountPinakes, PINAKES_PATHS, type PinakesParts } from './dialects/pinakes/index.ts'
import { mountTimelimit, TIMELIMIT_PATHS, type TimelimitParts } from './dialects/timelimit/index.ts'
import { mayUseMail } from './families.ts'
import type { Config } from './options.ts'
import type { HttpApp } from './transports/http.ts'

/** Paths, and beginnings of paths, in lower case, whose routes bound their bodies themselves. */
export const DIALECT_PATHS: readonly string[] = [
  ...PINAKES_PATHS,
  CHANGELIST_PATH,
  ...EPUB_PATHS,
  `${LIBRARY_PATH}/`,
  ...KOSYNC_PATHS,
  ...TIMELIMIT_PATHS
]

/** What the dialects work on, beside the options. */
export type DialectParts = PinakesParts &
  Omit<ChangelistParts, 'publicUrl'> &
  ShellParts &
  Omit<EpubParts, 'oneByOne'> &
  Omit<LibraryParts, 'publicUrl'> &
  Omit<KosyncParts, 'canRegister'> &
  Omit<TimelimitParts, 'mayUseMail'>

/** Mounts every dialect. */
export function mountDialects(app: HttpApp, parts: DialectParts, config: Config): void {
  const { publicUrl, kosyncRegistration } = config
  mountPinakes(app, parts)
  mountChangelist(app, { ...parts, publicUrl })
  mountEpub(app, createOperations(parts), parts)
  mountLibrary(app, { ...parts, publicUrl })
  mountKosync(app, { ...parts, canRegister: kosyncRegistration })
  mountTimelimit(app, { ...parts, mayUseMail: mayUseMail(config) })
}
