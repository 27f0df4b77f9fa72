import type { ErrorCode } from '../../protocol/index.ts'
import type { Happening } from './history.ts'

const refuses =
  (code: ErrorCode) =>
  (happening: Happening): boolean =>
    happening.is === 'sent' && happening.frame?.kind === 'acked' && happening.frame.refused.some(([, given]) => given === code)
const makes =
  (kind: string) =>
  (happening: Happening): boolean =>
    happening.is === 'flushed' && happening.changes.some(([, change]) => change[6] === kind)
const leaves =
  (code: ErrorCode) =>
  (happening: Happening): boolean =>
    happening.is === 'sent' && happening.frame?.kind === 'bye' && happening.frame.code === code
const comesAs =
  (kind: string) =>
  (happening: Happening): boolean =>
    happening.is === 'sent' && happening.frame?.kind === kind

/** What the worlds must come to, or else nothing is said about it by their keeping the promises. */
export const SITUATIONS: Readonly<Record<string, (happening: Happening) => boolean>> = {
  'an action is refused for other content': refuses('action-conflict'),
  'an answer was forgotten after it was confirmed': refuses('already-done'),
  'what is not there is refused': refuses('not-found'),
  'a malformed update is refused': refuses('bad-update'),
  "an update under another device's Yjs client id is refused": refuses('foreign-client'),
  'an update that builds on what the hub lacks is refused': refuses('update-gap'),
  'a file is not put over one that its device had not seen': makes('file.conflict'),
  'a conflict of files is resolved': makes('conflict.resolve'),
  'a file has another path': makes('file.move'),
  'a slow reader is sent away': leaves('slow'),
  'a session takes the place of another': leaves('replaced'),
  'a device is cut off': leaves('device-revoked'),
  'a hub sends everyone away before it stops': leaves('shutting-down'),
  'the hub dies with a commit under way': happening => happening.is === 'hub' && happening.did === 'crash in a commit',
  'a cursor cannot be continued': comesAs('resync'),
  "a log's beginning is let go": happening => happening.is === 'trimmed' && happening.floor > 1,
  'a snapshot takes the place of changes': comesAs('snapshot'),
  'a read is refused': comesAs('failed'),
  'a view is sent': comesAs('view'),
  'a connection holds more than its share': happening =>
    happening.is === 'sent' && happening.by === 'hub' && happening.bufferedBytes > 262_144,
  'many changes are one frame': happening =>
    happening.is === 'sent' && happening.frame?.kind === 'changes' && happening.frame.changes.length > 20,
  'a device is full': happening => happening.is === 'step' && happening.what.includes('the device is full'),
  'an app is an old copy of itself': happening => happening.is === 'restored',
  'an app hears nothing from the hub': happening => happening.is === 'step' && happening.what.includes('the hub is silent')
}
