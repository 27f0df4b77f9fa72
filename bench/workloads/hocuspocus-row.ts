import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ServerProcess } from '../server-process.ts'

const addon = new URL('../peers/node_modules/better-sqlite3/build/Release/better_sqlite3.node', import.meta.url)

/** Why Hocuspocus cannot run here; undefined when it can. */
export const hocuspocusSkipped = existsSync(addon) ? undefined : 'run npm ci in bench/peers'

export const startHocuspocus = (folder: string): Promise<ServerProcess<{ port: number }>> =>
  ServerProcess.start('hocuspocus.mjs', { file: join(folder, 'documents.sqlite') })
