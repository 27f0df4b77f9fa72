import { accessSync, constants, existsSync, mkdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { HubError } from '../../protocol/index.ts'
import { codeOf, look } from './disk.ts'
import { OWN_FOLDER } from './names.ts'

/** What a hub keeps in its data folder: a mirror of it would change with every upload, and never end. */
const HUBS = ['store', 'store-lock']

/**
 * Makes the folder that is to be mirrored, where there is none, and the mirror's own in it.
 * @returns its whole path
 * @throws HubError `bad-request` for a folder that cannot be one, naming it
 */
export function openRoot(folder: string): string {
  const root = resolve(folder)
  if (look(root)?.isFile() === true) throw new HubError('bad-request', `${root} is a file; name a folder`)
  if (HUBS.every(name => existsSync(join(root, name))))
    throw new HubError('bad-request', `${root} is the data folder of a hub, which is not to be mirrored; name another folder`)
  for (let above = dirname(root); above !== dirname(above); above = dirname(above))
    if (existsSync(join(above, OWN_FOLDER, 'folder')))
      throw new HubError('bad-request', `${root} lies in ${above}, which is mirrored already`)
  try {
    mkdirSync(join(root, OWN_FOLDER), { recursive: true, mode: 0o700 })
    accessSync(root, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new HubError(
      'bad-request',
      `${root} cannot be read and written (${codeOf(error)}); name another folder, or run this as its owner`
    )
  }
  return root
}
